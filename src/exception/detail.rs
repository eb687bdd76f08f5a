//! Detail of an exception: text or JSON for the client.

use std::{borrow::Cow, fmt};

use http::StatusCode;
use serde::{Serialize, Serializer};
use serde_json::{Value, value::RawValue};

/// Detail of an [`HttpException`](crate::HttpException): the part of the response that explains the
/// status to the client.
///
/// [`with_detail`](crate::HttpException::with_detail) takes anything that converts into a `Detail`:
/// a `&'static str` (stored without allocating), a `String`, a [`serde_json::Value`], a
/// [`RawValue`].
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use tower_exception::HttpException;
///
/// let text = HttpException::not_found("Item not found");
/// let owned = HttpException::not_found(format!("no item {}", 42));
/// let structured = HttpException::unprocessable_entity(json!({ "field": "name" }));
///
/// assert_eq!(text.to_string(), "404: Item not found");
/// assert_eq!(owned.to_string(), "404: no item 42");
/// assert_eq!(structured.to_string(), r#"422: {"field":"name"}"#);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Detail {
    /// No detail. The client receives the canonical reason of the status, or an empty text if the
    /// status has none.
    #[default]
    Canonical,
    /// Text.
    Text(Cow<'static, str>),
    /// Any other JSON, in the form in which it is sent.
    Json(Box<RawValue>),
}

impl Detail {
    /// Serialises `value`. The fields of a struct keep their order.
    ///
    /// # Errors
    ///
    /// Returns the error of [`serde_json`] if the `Serialize` of `value` fails, or if `value`
    /// contains a map whose keys are not text.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), serde_json::Error> {
    /// # use tower_exception::Detail;
    /// #[derive(serde::Serialize)]
    /// struct Shortage { wanted: u32, left: u32 }
    ///
    /// let detail = Detail::json(&Shortage { wanted: 3, left: 1 })?;
    /// assert!(matches!(detail, Detail::Json(raw) if raw.get() == r#"{"wanted":3,"left":1}"#));
    /// # Ok(())
    /// # }
    /// ```
    pub fn json(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self::from)
    }

    /// Returns the detail, or the canonical reason of `status` if there is none.
    pub(super) fn or_reason(&self, status: StatusCode) -> DetailRef<'_> {
        match self {
            Self::Canonical => DetailRef::Text(status.canonical_reason().unwrap_or_default()),
            Self::Text(text) => DetailRef::Text(text),
            Self::Json(raw) => DetailRef::Json(raw),
        }
    }
}

/// Detail that the client receives: the exception's own or the canonical reason of the status.
///
/// [`HttpException::detail_or_reason`](crate::HttpException::detail_or_reason) returns it. It can
/// be displayed and serialised.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum DetailRef<'a> {
    /// Text. Empty if there is neither a detail nor a canonical reason.
    Text(&'a str),
    /// Any other JSON, in the form in which it is sent.
    Json(&'a RawValue),
}

impl Serialize for DetailRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Json(raw) => raw.serialize(serializer),
        }
    }
}

impl fmt::Display for DetailRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(text) => text,
            Self::Json(raw) => raw.get(),
        })
    }
}

impl From<&'static str> for Detail {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<Cow<'static, str>> for Detail {
    fn from(text: Cow<'static, str>) -> Self {
        Self::Text(text)
    }
}

/// `null` becomes no detail, and a JSON string becomes text.
impl From<Value> for Detail {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Canonical,
            Value::String(text) => Self::Text(Cow::Owned(text)),
            // A `Value` always serialises: the keys of its maps are text.
            value => Self::json(&value).unwrap_or_default(),
        }
    }
}

/// `null` becomes no detail, and a JSON string becomes text.
impl From<Box<RawValue>> for Detail {
    fn from(raw: Box<RawValue>) -> Self {
        match raw.get().as_bytes().first() {
            Some(b'n') => Self::Canonical,
            Some(b'"') => match serde_json::from_str(raw.get()) {
                Ok(text) => Self::Text(Cow::Owned(text)),
                // A string with a lone surrogate is JSON, but not a Rust string.
                Err(_) => Self::Json(raw),
            },
            _ => Self::Json(raw),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_json_string_becomes_text_and_null_becomes_no_detail() {
        for null in [
            Detail::from(Value::Null),
            Detail::json(&None::<u8>).unwrap(),
        ] {
            assert!(matches!(null, Detail::Canonical));
        }
        for text in [
            Detail::from(json!("a\nb")),
            Detail::json(&"a\nb").unwrap(),
            Detail::json("a\nb").unwrap(),
        ] {
            assert!(matches!(text, Detail::Text(text) if text == "a\nb"));
        }
    }

    #[test]
    fn a_string_that_rust_cannot_hold_stays_json() {
        let raw = RawValue::from_string(r#""\ud800""#.to_owned()).unwrap();
        assert!(matches!(Detail::from(raw), Detail::Json(raw) if raw.get() == r#""\ud800""#));
    }

    #[test]
    fn a_value_that_does_not_serialise_is_an_error() {
        let map = std::collections::HashMap::from([((1, 2), 3)]);
        assert_eq!(
            Detail::json(&map).unwrap_err().to_string(),
            "key must be a string"
        );
    }
}
