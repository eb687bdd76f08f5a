//! The detail of an exception that becomes an HTTP response.

use std::{borrow::Cow, fmt::Write};

use serde::Serialize;

use super::{
    detail::{Detail, DetailRef},
    http::HttpException,
};

/// Methods for the detail: the part that explains the status to the client.
impl HttpException {
    /// Sets the detail that the client receives. Defaults to the canonical reason of the status.
    ///
    /// # Examples
    ///
    /// ```
    /// # use http::StatusCode;
    /// # use tower_exception::HttpException;
    /// let gone = HttpException::new(StatusCode::GONE).with_detail("sold out");
    /// assert_eq!(gone.to_string(), "410: sold out");
    /// ```
    pub fn with_detail(mut self, detail: impl Into<Detail>) -> Self {
        self.0.kind.detail = detail.into();
        self
    }

    /// Sets the detail that the client receives to `value` as JSON. The fields of a struct keep
    /// their order.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Detail::json`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), serde_json::Error> {
    /// # use http::StatusCode;
    /// # use tower_exception::HttpException;
    /// #[derive(serde::Serialize)]
    /// struct Shortage { wanted: u32, left: u32 }
    ///
    /// let conflict = HttpException::new(StatusCode::CONFLICT)
    ///     .try_with_json(&Shortage { wanted: 3, left: 1 })?;
    /// assert_eq!(conflict.to_string(), r#"409: {"wanted":3,"left":1}"#);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_with_json(
        self,
        value: &(impl Serialize + ?Sized),
    ) -> Result<Self, serde_json::Error> {
        Ok(self.with_detail(Detail::json(value)?))
    }

    /// Returns the detail, or the list of [faults](Self::faults) if there are any and no other
    /// detail was set. See [`detail_or_reason`](Self::detail_or_reason) for the text or JSON that
    /// the client receives.
    pub fn detail(&self) -> &Detail {
        let detail = self.own_detail();
        match (detail, self.supplement()) {
            (Detail::Canonical, Some(supplement)) => supplement.faults.detail().unwrap_or(detail),
            _ => detail,
        }
    }

    /// Returns the detail, or the canonical reason of the status if there is no detail.
    ///
    /// # Examples
    ///
    /// ```
    /// # use http::StatusCode;
    /// # use tower_exception::HttpException;
    /// use serde_json::json;
    ///
    /// let exception = HttpException::new(StatusCode::GONE);
    /// let body = json!({ "error": exception.detail_or_reason() });
    /// assert_eq!(body.to_string(), r#"{"error":"Gone"}"#);
    /// ```
    pub fn detail_or_reason(&self) -> DetailRef<'_> {
        self.detail().or_reason(self.status())
    }

    /// Returns the detail that was set, which is no list of faults.
    pub(crate) fn own_detail(&self) -> &Detail {
        &self.0.kind.detail
    }

    /// Returns the detail as a text for a reader. A list of faults is no JSON there.
    pub(crate) fn message(&self) -> Cow<'_, str> {
        match (self.own_detail(), self.supplement()) {
            (Detail::Canonical, Some(supplement)) if !self.faults().is_empty() => {
                let mut text = String::new();
                // A `String` cannot fail.
                let _ = write!(text, "{}", supplement.faults);
                Cow::Owned(text)
            }
            _ => Cow::Borrowed(match self.detail_or_reason() {
                DetailRef::Text(text) => text,
                DetailRef::Json(json) => json.get(),
            }),
        }
    }
}
