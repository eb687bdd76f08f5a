//! Methods for the additions to the detail of an exception.

use std::{borrow::Cow, time::Duration};

use http::{HeaderValue, header::RETRY_AFTER};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    http::HttpException,
    members::{InvalidMember, MemberList},
    supplement::Supplement,
};
use crate::diagnostics;

/// Methods for what an exception says in addition to its detail.
///
/// | part | a gRPC client, with the feature `tonic` |
/// | --- | --- |
/// | type | the link of a [`Help`] |
/// | title | the description of that link |
/// | code | the reason of an [`ErrorInfo`] |
/// | members | a `google.protobuf.Struct` |
/// | time to wait | a [`RetryInfo`] |
///
/// The [guide](crate::grpc#details) says which form each part has. The default renderer,
/// [`Json`](crate::render::Json), shows none of it, and neither does the reason of a WebSocket's
/// close frame. The header `retry-after` is sent in any case.
///
/// An exception with none of these parts does not pay for them.
///
/// [`ErrorInfo`]: https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
/// [`Help`]: https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
/// [`RetryInfo`]: https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), tower_exception::InvalidMember> {
/// use tower_exception::HttpException;
///
/// let exception = HttpException::forbidden("Your balance is 30, but that costs 50.")
///     .with_type("https://example.com/probs/out-of-credit")
///     .with_title("You do not have enough credit.")
///     .with_code("out-of-credit")
///     .try_with_member("balance", &30)?
///     .try_with_member("accounts", &["/account/12345", "/account/67890"])?;
///
/// assert_eq!(exception.code(), Some("out-of-credit"));
/// let members: Vec<_> = exception.members().map(|(name, json)| (name, json.get())).collect();
/// assert_eq!(members, [
///     ("balance", "30"),
///     ("accounts", r#"["/account/12345","/account/67890"]"#),
/// ]);
/// // The form that FastAPI has stays as it is.
/// assert_eq!(exception.to_string(), "403: Your balance is 30, but that costs 50.");
/// # Ok(())
/// # }
/// ```
impl HttpException {
    /// Sets the type of the problem: a URI reference that identifies it (RFC 9457, section 3.1.1).
    ///
    /// An absolute URI is recommended, with documentation at that address. The reference is sent as
    /// it is. Without a type, a problem has the type `about:blank`: the status says it all.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_exception::HttpException;
    /// let exception = HttpException::conflict("the cart has changed")
    ///     .with_type("https://shop.example/problems/stale-cart");
    /// assert_eq!(exception.problem_type(), Some("https://shop.example/problems/stale-cart"));
    /// ```
    pub fn with_type(mut self, uri_reference: impl Into<Cow<'static, str>>) -> Self {
        self.supplement_mut().problem_type = Some(uri_reference.into());
        self
    }

    /// Sets the title: a short summary of the type of problem for a human reader, which is the same
    /// each time (RFC 9457, section 3.1.3).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_exception::HttpException;
    /// let exception = HttpException::conflict("plumbus 7 is sold out").with_title("Out of stock");
    /// assert_eq!(exception.title(), Some("Out of stock"));
    /// ```
    pub fn with_title(mut self, title: impl Into<Cow<'static, str>>) -> Self {
        self.supplement_mut().title = Some(title.into());
        self
    }

    /// Sets the code: a stable name of the error for programs, which do not have to read the
    /// detail.
    ///
    /// The usual form is kebab case, such as `item-missing`. A gRPC client receives it in
    /// [gRPC's form](crate::grpc#details), `ITEM_MISSING`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_exception::HttpException;
    /// let exception = HttpException::not_found("no plumbus 7").with_code("item-missing");
    /// assert_eq!(exception.code(), Some("item-missing"));
    /// ```
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        let supplement = self.supplement_mut();
        supplement.code = Some(code.into());
        #[cfg(feature = "tonic")]
        {
            supplement.domain = None;
        }
        self
    }

    /// Sets an extension member to `value` as JSON (RFC 9457, section 3.2).
    ///
    /// Members keep the order in which they were set. A name that is set again keeps its place and
    /// has the new value. RFC 9457 recommends names of three characters or more: a letter first,
    /// then letters, digits and `_`.
    ///
    /// # Errors
    ///
    /// Returns an error
    ///
    /// - if the name is [reserved](InvalidMember::is_reserved);
    /// - if the `Serialize` of `value` fails, or if `value` contains a map whose keys are not text.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_exception::HttpException;
    /// let exception = HttpException::conflict("sold out").try_with_member("left", &0);
    /// assert_eq!(exception.unwrap().members().len(), 1);
    ///
    /// let error = HttpException::conflict("sold out").try_with_member("status", &0);
    /// assert_eq!(error.unwrap_err().to_string(), "the member `status` is reserved");
    /// ```
    pub fn try_with_member(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<Self, InvalidMember> {
        self.supplement_mut().set_member(name.into(), value)?;
        Ok(self)
    }

    /// Sets a member of a converted value, and logs one whose name is reserved: such a name has a
    /// meaning of its own.
    #[cfg(any(feature = "problem_details", feature = "tonic"))]
    pub(crate) fn set_member(&mut self, name: String, value: &impl Serialize) {
        if let Err(error) = self.supplement_mut().set_member(name.into(), value) {
            diagnostics::member_refused(&error);
        }
    }

    /// Sets the time after which the client may try again.
    ///
    /// The header `retry-after` says it in whole seconds, rounded up (RFC 9110, section 10.2.3). It
    /// replaces a `retry-after` that was set before. A gRPC client receives the exact time in a
    /// `RetryInfo`, which has room for 10,000 years.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use tower_exception::HttpException;
    /// let exception = HttpException::too_many_requests("slow down")
    ///     .with_retry_after(Duration::from_millis(1_500));
    /// assert_eq!(exception.headers()["retry-after"], "2");
    /// assert_eq!(exception.retry_after(), Some(Duration::from_millis(1_500)));
    /// ```
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.supplement_mut().retry_after = Some(delay);
        let value = HeaderValue::from(whole_seconds(delay));
        if self.headers_mut().try_insert(RETRY_AFTER, value).is_err() {
            diagnostics::header_dropped(&RETRY_AFTER, "there are too many headers");
        }
        self
    }

    /// Returns the type that [`with_type`](Self::with_type) has set: a URI reference.
    pub fn problem_type(&self) -> Option<&str> {
        self.supplement()?.problem_type.as_deref()
    }

    /// Returns the title that [`with_title`](Self::with_title) has set.
    pub fn title(&self) -> Option<&str> {
        self.supplement()?.title.as_deref()
    }

    /// Returns the code that [`with_code`](Self::with_code) has set.
    pub fn code(&self) -> Option<&str> {
        self.supplement()?.code.as_deref()
    }

    /// Returns the code as it was set.
    pub(crate) fn code_text(&self) -> Option<&Cow<'static, str>> {
        self.supplement()?.code.as_ref()
    }

    /// Returns the extension members in their order: names and values. The reserved names of
    /// [`try_with_member`](Self::try_with_member) are not among them, and no name occurs twice.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&str, &RawValue)> {
        let members = self.supplement().map(|it| &it.members);
        members.unwrap_or(MemberList::NONE).iter()
    }

    /// Returns the time that [`with_retry_after`](Self::with_retry_after) has set, to the
    /// nanosecond.
    ///
    /// A `retry-after` that was set as a header is in [`headers`](Self::headers) only.
    pub fn retry_after(&self) -> Option<Duration> {
        self.supplement()?.retry_after
    }

    pub(crate) fn supplement(&self) -> Option<&Supplement> {
        self.0.kind.supplement.as_deref()
    }

    pub(super) fn supplement_mut(&mut self) -> &mut Supplement {
        let supplement = self.0.kind.supplement.get_or_insert_default();
        #[cfg(feature = "tonic")]
        {
            supplement.is_converted = false;
        }
        supplement
    }
}

/// Returns the seconds of a time to wait, rounded up.
pub(crate) fn whole_seconds(delay: Duration) -> u64 {
    let has_fraction = delay.subsec_nanos() > 0;
    delay.as_secs().saturating_add(u64::from(has_fraction))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exception::Exception;
    use http::{HeaderName, StatusCode};
    use std::{collections::HashMap, error::Error as _};

    fn not_found() -> HttpException {
        HttpException::not_found("no such item")
    }

    #[test]
    fn a_part_that_is_not_set_is_none() {
        let exception = not_found();
        assert!(exception.supplement().is_none());
        assert_eq!(exception.problem_type(), None);
        assert_eq!((exception.title(), exception.code()), (None, None));
        assert_eq!(exception.members().len(), 0);
        assert_eq!(exception.retry_after(), None);
    }

    #[test]
    fn a_part_that_is_set_again_is_replaced() {
        let exception = not_found()
            .with_type("a")
            .with_type("b".to_owned())
            .with_title("a")
            .with_title("b")
            .with_code("a")
            .with_code("b")
            .with_retry_after(Duration::from_secs(3))
            .with_retry_after(Duration::from_secs(4));
        assert_eq!(exception.problem_type(), Some("b"));
        assert_eq!(
            (exception.title(), exception.code()),
            (Some("b"), Some("b"))
        );
        assert_eq!(exception.headers().get_all(RETRY_AFTER).iter().count(), 1);
        assert_eq!(exception.headers()[RETRY_AFTER], "4");
    }

    #[test]
    fn members_keep_their_order_and_have_one_value() {
        let exception = not_found()
            .try_with_member("zeta", "z")
            .and_then(|it| it.try_with_member("alpha", &[1, 2]))
            .and_then(|it| it.try_with_member("mid".to_owned(), &None::<u8>))
            .and_then(|it| it.try_with_member("zeta", &true))
            .unwrap();
        let members = exception.members().map(|(name, json)| (name, json.get()));
        let expected = [("zeta", "true"), ("alpha", "[1,2]"), ("mid", "null")];
        assert_eq!(members.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_reserved_name_is_refused() {
        for name in [
            "type", "title", "status", "detail", "instance", "code", "errors", "context",
            "error_id",
        ] {
            let error = not_found().try_with_member(name, &1).unwrap_err();
            assert!(error.is_reserved());
            assert_eq!(error.name(), name);
            assert_eq!(
                error.to_string(),
                format!("the member `{name}` is reserved")
            );
            assert!(error.source().is_none());
        }
        assert!(not_found().try_with_member("Type", &1).is_ok());
    }

    #[test]
    fn a_value_that_does_not_serialise_is_an_error() {
        let map = HashMap::from([((1, 2), 3)]);
        let error = not_found().try_with_member("map", &map).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the member `map` does not serialise as JSON"
        );
        let source = error.source().unwrap();
        assert_eq!(source.to_string(), "key must be a string");
    }

    #[test]
    fn retry_after_is_rounded_up_to_seconds() {
        for (delay, seconds) in [
            (Duration::ZERO, "0"),
            (Duration::from_nanos(1), "1"),
            (Duration::from_secs(1), "1"),
            (Duration::from_millis(1_001), "2"),
            (Duration::MAX, "18446744073709551615"),
        ] {
            let exception = not_found().with_retry_after(delay);
            assert_eq!(exception.headers()[RETRY_AFTER], seconds);
            assert_eq!(exception.retry_after(), Some(delay));
        }
    }

    #[test]
    fn retry_after_that_finds_no_room_is_dropped() {
        let mut exception = not_found();
        for i in 0..40_000 {
            let name = HeaderName::try_from(format!("x-{i}")).unwrap();
            let _ = exception
                .headers_mut()
                .try_append(name, HeaderValue::from(i));
        }
        let exception = exception.with_retry_after(Duration::from_secs(1));
        assert!(!exception.headers().contains_key(RETRY_AFTER));
        assert_eq!(exception.retry_after(), Some(Duration::from_secs(1)));
    }

    #[test]
    fn debug_shows_the_names_of_members_and_not_their_values() {
        let plain = format!("{:?}", not_found());
        for name in ["code", "type", "title", "members", "retry_after"] {
            assert!(!plain.contains(&format!("{name}:")), "{plain}");
        }
        let exception = not_found()
            .with_type("/problems/missing")
            .with_title("Missing")
            .with_code("item-missing")
            .with_retry_after(Duration::from_secs(3))
            .try_with_member("owner", "hunter2")
            .unwrap();
        let shown = format!("{exception:?}");
        for part in [
            r#"code: "item-missing""#,
            r#"type: "/problems/missing""#,
            r#"title: "Missing""#,
            r#"members: {"owner"}"#,
            "retry_after: 3s",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!format!("{:?}", Exception::from(exception)).contains("hunter2"));
    }

    #[test]
    fn the_display_and_a_source_found_in_a_chain_are_as_before() {
        let exception = HttpException::new(StatusCode::GONE).with_code("gone-for-good");
        assert_eq!(exception.to_string(), "410: Gone");
        let found = HttpException::of(&exception).unwrap();
        assert_eq!(found.code(), Some("gone-for-good"));
    }
}
