//! Conversions between exceptions and [tonic](https://docs.rs/tonic)'s `Status` and `Code`.

use std::{error::Error, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header::RETRY_AFTER};
use tonic::{Code, Status, TimeoutExpired, metadata::MetadataMap};

use super::{
    code::GrpcCode,
    details::{self, Details},
    fields::StatusFields,
    metadata::{into_metadata, is_metadata},
    visible::{
        detail, has_visible_message, is_received, made_of, original_status, reason,
        unchanged_message,
    },
};
use crate::{
    error::{find, sources},
    exception::{Exception, HttpException},
};

/// Converts an exception to the status that a gRPC client receives, so that `?` works in a tonic
/// handler.
///
/// The code follows from the [HTTP status](crate::GrpcCode) of the exception. The message is the
/// detail, and the metadata is the headers. JSON and the rest of what the exception says are in the
/// [details](crate::grpc#details). The exception is the source of the status, so that a layer's
/// handlers and observers find it.
///
/// ```
/// use tonic::{Code, Request, Response, Status};
/// use tower_exception::HttpException;
///
/// fn name(id: u32) -> Result<String, HttpException> {
///     match id {
///         1 => Ok("plumbus".to_owned()),
///         _ => Err(HttpException::not_found("Item not found")),
///     }
/// }
///
/// async fn item(request: Request<u32>) -> Result<Response<String>, Status> {
///     Ok(Response::new(name(request.into_inner())?))
/// }
///
/// # futures_executor::block_on(async {
/// let status = item(Request::new(2)).await.unwrap_err();
/// assert_eq!((status.code(), status.message()), (Code::NotFound, "Item not found"));
/// # });
/// ```
impl From<HttpException> for Status {
    fn from(exception: HttpException) -> Self {
        // An informational status cannot end an exchange, so a 500 stands for it.
        let rendered = if exception.status().is_informational() {
            &HttpException::new(StatusCode::INTERNAL_SERVER_ERROR)
        } else {
            &exception
        };
        let fields = status_fields(rendered);
        let mut headers = rendered.headers().clone();
        add_metadata(&mut headers, rendered);
        into_metadata(&mut headers);
        fields.limit_metadata(&mut headers);
        let metadata = MetadataMap::from_headers(headers);
        let StatusFields {
            code,
            message,
            details,
        } = fields;
        let mut status = Self::with_details_and_metadata(code.into(), message, details, metadata);
        status.set_source(Arc::new(exception));
        status
    }
}

/// Converts a status to the exception that stands for it in HTTP.
///
/// The code [maps to](crate::GrpcCode::http_status) the HTTP status. The JSON in the
/// [details](crate::grpc#details), or otherwise the message, becomes the detail. An `ErrorInfo` in
/// the details becomes the code, a `RetryInfo` the time to wait with its header, a `Help` the type.
///
/// The metadata does not become headers, because that of an upstream's status holds all headers of
/// the upstream's response, cookies and internal names included.
/// [`with_metadata`](HttpException::with_metadata) adds some of it by name.
///
/// The status is the source of the exception. A gRPC client receives the code, the message and the
/// details, and the metadata unless it was received with an upstream's response. A status that was
/// made of an exception converts back to that exception, with its headers.
///
/// A message that tonic itself made of an error is not shown: that of a connection to an upstream
/// that failed, or of `Status::from_error`. The client then receives the canonical reason.
///
/// ```
/// use http::StatusCode;
/// use tower_exception::HttpException;
///
/// let exception = HttpException::from(tonic::Status::resource_exhausted("too many"));
/// assert_eq!(exception.status(), StatusCode::TOO_MANY_REQUESTS);
/// assert_eq!(exception.to_string(), "429: too many");
///
/// let status = tonic::Status::from(exception);
/// assert_eq!(status.code(), tonic::Code::ResourceExhausted);
/// ```
impl From<Status> for HttpException {
    #[track_caller]
    fn from(status: Status) -> Self {
        let Some(exception) = made_of(&status) else {
            let mut exception = Self::new(http_status(&status)).with_detail(detail(&status));
            if has_visible_message(&status) {
                exception = details::supplement(exception, status.details());
            }
            return exception.converted_from(status);
        };
        let mut exception = exception.clone();
        if !is_received(&status) {
            add_missing(exception.headers_mut(), status.metadata().as_ref());
        }
        exception
    }
}

/// Methods for an exception that was made of a `tonic::Status`, with the feature `tonic`.
impl HttpException {
    /// Appends the metadata with these names, of the `tonic::Status` that the exception
    /// [was made of](#impl-From<Status>-for-HttpException), to the headers.
    ///
    /// Without this method no metadata becomes a header. Names that the status does not have, and
    /// names that frame or describe a message, are skipped. A value whose name ends in `-bin` is in
    /// base64. A `retry-after` that the exception has already stays the only one. The exception
    /// stays as it is if it was not made of a `Status`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tonic::Status;
    /// use tower_exception::{Caught, ExceptionLayer, HttpException};
    ///
    /// # let mut status = Status::resource_exhausted("too many");
    /// # status.metadata_mut().insert("x-quota", "100".parse().unwrap());
    /// # status.metadata_mut().insert("x-internal", "10.0.0.7".parse().unwrap());
    /// let exception = HttpException::from(status).with_metadata(["x-quota", "retry-after"]);
    /// assert_eq!(exception.headers().len(), 1);
    /// assert_eq!(exception.headers()["x-quota"], "100");
    ///
    /// // For every `Status` that nothing has converted:
    /// let layer = ExceptionLayer::new().on(|status: Caught<Status>| {
    ///     HttpException::from(status.clone()).with_metadata(["x-quota", "retry-after"])
    /// });
    /// ```
    pub fn with_metadata<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let status = self.origin().and_then(|it| it.downcast_ref::<Status>());
        let Some(status) = status.cloned() else {
            return self;
        };
        let metadata: &HeaderMap = status.metadata().as_ref();
        for name in names.into_iter().map(HeaderName::try_from) {
            let Some(name) = name.ok().filter(is_metadata) else {
                continue;
            };
            if name == RETRY_AFTER && self.headers().contains_key(&name) {
                continue;
            }
            for value in metadata.get_all(&name) {
                self = self.with_header(name.clone(), value.clone());
            }
        }
        self
    }
}

/// Converts a code to tonic's type.
impl From<GrpcCode> for Code {
    fn from(code: GrpcCode) -> Self {
        Self::from_i32(code.as_i32())
    }
}

/// Converts a code from tonic's type.
impl From<Code> for GrpcCode {
    fn from(code: Code) -> Self {
        Self::from_i32(code.into())
    }
}

/// Returns the exception that stands for one of tonic's own errors if no handler matches.
///
/// `is_outermost` says whether `error` is the failure itself. A status that is only a source of
/// another error was not made for the client: nothing of it is shown, except the code.
pub(crate) fn exception_for(
    error: &(dyn Error + 'static),
    is_outermost: bool,
) -> Option<HttpException> {
    if find::<TimeoutExpired>(error).is_some() {
        return Some(HttpException::new(StatusCode::GATEWAY_TIMEOUT));
    }
    let status = find::<Status>(error)?;
    let has_visible_message = has_visible_message(status);
    if made_of(status).is_some() || is_outermost && has_visible_message {
        return Some(status.clone().into());
    }
    let http_status = http_status(status);
    // An exception among the sources says more, and an error that has no status of its own is no
    // known error.
    let is_known = http_status != StatusCode::INTERNAL_SERVER_ERROR || has_visible_message;
    if !is_known || sources(status).skip(1).any(Exception::is) {
        return None;
    }
    let hidden = Status::new(status.code(), reason(status));
    Some(HttpException::new(http_status).converted_from(hidden))
}

/// Returns the HTTP status that stands for a status.
///
/// tonic makes CANCELLED of a timeout of its own. To an HTTP client that code would say that the
/// client itself had cancelled.
fn http_status(status: &Status) -> StatusCode {
    match sources(status).any(|error| error.is::<TimeoutExpired>()) {
        true => StatusCode::GATEWAY_TIMEOUT,
        false => GrpcCode::from(status.code()).http_status(),
    }
}

/// Adds the metadata of the status that `exception` was made of, unless it was received with an
/// upstream's response.
pub(crate) fn add_metadata(headers: &mut HeaderMap, exception: &HttpException) {
    if let Some(status) = original_status(exception).filter(|status| !is_received(status)) {
        add_missing(headers, status.metadata().as_ref());
    }
}

/// Adds the headers whose names `headers` does not have.
fn add_missing(headers: &mut HeaderMap, others: &HeaderMap) {
    for name in others.keys() {
        if !headers.contains_key(name) {
            for value in others.get_all(name) {
                // A map of the maximum size takes no more.
                let _ = headers.try_append(name, value.clone());
            }
        }
    }
}

/// Returns the fields of the status that a gRPC client receives for `exception`.
///
/// If the exception was made of a status, the fields are that status's own, except those that the
/// exception has changed since.
pub(crate) fn status_fields(exception: &HttpException) -> StatusFields {
    let mut fields = StatusFields::of(exception);
    let mut others = Vec::new();
    if let Some(status) = original_status(exception) {
        fields.code = status.code().into();
        if let Some(message) = unchanged_message(exception, status) {
            fields.message = message.to_owned();
            if exception.supplement().is_none_or(|it| it.is_converted) {
                fields.details = Bytes::copy_from_slice(status.details());
                return fields.limited();
            }
            others = details::others(status.details());
        }
    }
    fields.with_details(Details::of(exception, others))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::{error_details::set_domain, fields::set_error_domain};
    use http::HeaderValue;
    use proptest::prelude::*;
    use prost::Message as _;
    use serde_json::{Value, json, value::RawValue};
    use std::{collections::BTreeMap, fmt, time::Duration};
    use tonic_types::StatusExt as _;

    #[test]
    fn exception_survives_conversion_to_status() {
        let exception = HttpException::conflict(json!({ "left": 1, "of": [1.5, null, "x"] }))
            .try_with_header("x-shelf", "7")
            .unwrap();
        let location = exception.location();
        let mut status = Status::from(exception);
        assert_eq!(status.code(), Code::Aborted);
        assert_eq!(status.message(), r#"{"left":1,"of":[1.5,null,"x"]}"#);
        assert_eq!(status.metadata().get("x-shelf").unwrap(), "7");
        status.metadata_mut().insert("x-row", "8".parse().unwrap());

        let exception = HttpException::from(status);
        assert_eq!(exception.status(), StatusCode::CONFLICT);
        assert_eq!(exception.location(), location);
        assert_eq!(exception.headers().len(), 2);
        assert_eq!(exception.headers()["x-row"], HeaderValue::from_static("8"));
    }

    /// Returns the status as a client decodes it, without its source.
    fn over_the_wire(status: &Status) -> Status {
        let mut headers = http::HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        Status::from_header_map(&headers).unwrap()
    }

    #[test]
    fn status_survives_conversion_to_exception() {
        for number in 0..17 {
            let mut metadata = MetadataMap::new();
            metadata.insert("x-shelf", "7".parse().unwrap());
            let code = Code::from_i32(number);
            let details = Bytes::from_static(b"opaque");
            let status = Status::with_details_and_metadata(code, "why", details, metadata);
            let exception = HttpException::from(status);
            assert_eq!(exception.status(), GrpcCode::from(code).http_status());
            assert_eq!(exception.detail_or_reason().to_string(), "why");
            assert!(exception.headers().is_empty());

            let status = Status::from(exception.clone());
            assert_eq!((status.code(), status.message()), (code, "why"));
            assert_eq!(status.details(), b"opaque");
            assert_eq!(status.metadata().get("x-shelf").unwrap(), "7");

            // A changed detail takes precedence over the status's own message and details.
            let status = Status::from(exception.with_detail("why not"));
            assert_eq!((status.code(), status.message()), (code, "why not"));
            assert!(status.details().is_empty());
        }
    }

    #[test]
    fn status_without_message_has_the_canonical_reason() {
        let exception = HttpException::from(Status::not_found(""));
        assert_eq!(exception.to_string(), "404: Not Found");
        assert_eq!(Status::from(exception).message(), "");
    }

    #[test]
    fn timeout_of_tonic_is_deadline_exceeded() {
        let exception = exception_for(&TimeoutExpired(()), true).unwrap();
        assert_eq!(Status::from(exception).code(), Code::DeadlineExceeded);
    }

    #[test]
    fn informational_status_becomes_internal() {
        let exception = HttpException::new(StatusCode::CONTINUE).with_detail("go on");
        let status = Status::from(exception);
        assert_eq!(
            (status.code(), status.message()),
            (Code::Internal, "Internal Server Error")
        );
    }

    #[derive(Debug)]
    struct Secret;

    impl fmt::Display for Secret {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the password is hunter2")
        }
    }

    impl Error for Secret {}

    #[test]
    fn message_that_tonic_made_of_an_error_is_not_shown() {
        assert!(exception_for(&Status::from_error(Box::new(Secret)), true).is_none());
        assert!(exception_for(&Status::internal(format!("tonic-web: {Secret}")), true).is_none());
        let exception = HttpException::from(Status::from_error(Box::new(Secret)));
        assert_eq!(exception.to_string(), "500: Internal Server Error");
        assert_eq!(Status::from(exception).message(), "Internal Server Error");
        assert!(exception_for(&Status::unknown("for the client"), true).is_some());
        assert!(exception_for(&Status::internal("for the client"), true).is_some());
    }

    #[test]
    fn status_that_is_only_a_source_shows_nothing_but_its_code() {
        let details = Bytes::from_static(b"\x08\x0f");
        let mut metadata = MetadataMap::new();
        metadata.insert("x-internal", "10.0.0.7".parse().unwrap());
        let found = Status::with_details_and_metadata(Code::DataLoss, "disk 7", details, metadata);
        let exception = exception_for(&found, false).unwrap();
        assert_eq!(exception.to_string(), "500: Internal Server Error");
        let status = Status::from(exception);
        assert_eq!(status.code(), Code::DataLoss);
        assert_eq!(status.message(), "Internal Server Error");
        assert!(status.details().is_empty() && status.metadata().is_empty());
    }

    /// tonic's channel makes CANCELLED of a timeout.
    #[test]
    fn timeout_of_an_upstream_is_a_gateway_timeout() {
        let status = || Status::from_error(Box::new(TimeoutExpired(())));
        assert_eq!(status().code(), Code::Cancelled);
        for exception in [
            HttpException::from(status()),
            exception_for(&status(), true).unwrap(),
        ] {
            assert_eq!(exception.to_string(), "504: Gateway Timeout");
            assert_eq!(Status::from(exception).code(), Code::DeadlineExceeded);
        }
    }

    #[test]
    fn source_of_an_exception_is_not_sent() {
        let mut metadata = MetadataMap::new();
        metadata.insert("x-internal", "10.0.0.7".parse().unwrap());
        let upstream = Status::with_metadata(Code::Unavailable, "", metadata);
        let exception = HttpException::new(StatusCode::SERVICE_UNAVAILABLE).with_source(upstream);
        let status = Status::from(exception.clone());
        assert_eq!(status.message(), "Service Unavailable");
        assert!(status.metadata().is_empty());
        assert_eq!(exception.with_metadata(["x-internal"]).headers().len(), 1);
    }

    #[test]
    fn metadata_becomes_headers_by_name_only() {
        let mut status = Status::resource_exhausted("too many");
        for (name, value) in [
            ("x-quota", "100"),
            ("x-quota", "200"),
            ("x-internal", "10.0.0.7"),
            ("content-type", "text/html"),
            ("content-length", "7"),
        ] {
            status.metadata_mut().append(name, value.parse().unwrap());
        }
        let exception = HttpException::from(status);
        assert!(exception.headers().is_empty());
        let names = [
            "X-Quota",
            "no such",
            "",
            "retry-after",
            "content-type",
            "content-length",
        ];
        let exception = exception.with_metadata(names);
        let quotas: Vec<_> = exception.headers().get_all("x-quota").iter().collect();
        assert_eq!(quotas, ["100", "200"]);
        assert_eq!(exception.headers().len(), 2);
        assert!(
            HttpException::gone("no status")
                .with_metadata(["x"])
                .headers()
                .is_empty()
        );
    }

    #[test]
    fn long_status_is_limited_with_its_metadata() {
        let long = HeaderValue::try_from("v".repeat(4_096)).unwrap();
        let exception = HttpException::bad_request("y".repeat(7_000))
            .with_header(HeaderName::from_static("x-long"), long)
            .with_header(http::header::RETRY_AFTER, HeaderValue::from_static("2"));
        let status = Status::from(exception);
        assert_eq!(status.message().len(), 7_000);
        assert!(status.metadata().get("x-long").is_none());
        assert_eq!(
            status.metadata().get("grpc-retry-pushback-ms").unwrap(),
            "2000"
        );
        let original =
            Status::with_details(Code::Internal, "z".repeat(20_000), Bytes::from(vec![0; 9]));
        let status = Status::from(HttpException::from(original));
        assert!(status.message().len() < 7_200 && status.message().ends_with("z..."));
        assert!(status.details().is_empty());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1_i64 << 53)..=1 << 53).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(Value::from_iter),
            ]
        })
    }

    /// Returns the details that a client decodes, if there are any.
    fn details_of(status: &Status) -> Option<tonic_types::Status> {
        let details = over_the_wire(status).details().to_vec();
        (!details.is_empty()).then(|| tonic_types::Status::decode(&*details).unwrap())
    }

    #[test]
    fn details_have_the_code_of_the_status() {
        let exception = HttpException::from(Status::data_loss("gone")).with_detail(json!(["gone"]));
        let status = Status::from(exception);
        assert_eq!(status.code(), Code::DataLoss);
        assert_eq!(details_of(&status).unwrap().code, Code::DataLoss as i32);
    }

    #[test]
    fn json_too_deep_to_decode_is_only_in_the_message() {
        let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        for (depth, has_details) in [(30, true), (120, false)] {
            let status = Status::from(HttpException::gone(nested(depth)));
            assert_eq!(details_of(&status).is_some(), has_details, "{depth}");
            assert_eq!(status.message(), nested(depth).to_string());
        }
    }

    #[test]
    fn message_is_truncated_in_favor_of_details() {
        for (length, is_whole, has_details) in [
            (1_000, true, true),
            (2_500, false, true),
            (4_500, false, true),
            (6_000, true, false),
            (20_000, false, false),
        ] {
            let detail = json!({ "y": "y".repeat(length) });
            let status = Status::from(HttpException::bad_request(detail));
            assert_eq!(!status.message().ends_with("..."), is_whole, "{length}");
            let details = details_of(&status);
            assert_eq!(details.is_some(), has_details, "{length}");
            if let Some(details) = details {
                assert_eq!(details.message, status.message(), "{length}");
            }
        }
    }

    /// Returns an exception that says everything that one can say.
    fn eloquent() -> HttpException {
        HttpException::conflict("plumbus 7 is sold out")
            .with_type("https://shop.example/problems/sold-out")
            .with_title("Sold out")
            .with_code("item.soldOut")
            .with_retry_after(Duration::from_millis(1_500))
            .try_with_member("left", &0)
            .and_then(|it| it.try_with_member("alternatives", &[json!({ "id": 8 }), json!(null)]))
            .unwrap()
    }

    /// Asserts that `exception` says the same as [`eloquent`].
    fn assert_eloquent(exception: &HttpException) {
        assert_eq!(exception.to_string(), "409: plumbus 7 is sold out");
        let url = "https://shop.example/problems/sold-out";
        assert_eq!(exception.problem_type(), Some(url));
        assert_eq!(exception.title(), Some("Sold out"));
        assert_eq!(exception.code(), Some("item.soldOut"));
        assert_eq!(exception.retry_after(), Some(Duration::from_millis(1_500)));
        assert_eq!(exception.headers()["retry-after"], "2");
        let members: Vec<_> = exception
            .members()
            .map(|(name, json)| (name, json.get()))
            .collect();
        let expected = [("alternatives", r#"[{"id":8},null]"#), ("left", "0")];
        assert_eq!(
            members.iter().copied().collect::<BTreeMap<_, _>>(),
            BTreeMap::from(expected)
        );
    }

    #[test]
    fn all_that_an_exception_says_survives_the_wire() {
        let status = Status::from(eloquent());
        assert_eloquent(&HttpException::from(status.clone()));
        let received = over_the_wire(&status);
        let exception = HttpException::from(received.clone());
        assert_eloquent(&exception);
        // The metadata of the status has the time to wait, too.
        let lines = exception.clone().with_metadata(["retry-after"]);
        assert_eq!(lines.headers().get_all("retry-after").iter().count(), 1);
        // A client further on receives the same bytes.
        assert_eq!(Status::from(exception).details(), received.details());
    }

    #[test]
    fn a_detail_of_json_survives_beside_the_members() {
        let exception = eloquent().with_detail(json!({ "left": "none", "detail": 7 }));
        let read = HttpException::from(over_the_wire(&exception.into()));
        assert_eq!(read.to_string(), r#"409: {"detail":7,"left":"none"}"#);
        assert_eloquent(&read.with_detail("plumbus 7 is sold out"));
    }

    #[test]
    fn what_is_changed_in_the_exception_of_a_status_is_sent_with_the_rest() {
        let mut original = tonic_types::Status::decode(Status::from(eloquent()).details()).unwrap();
        set_domain(&mut original.details, "warehouse.example");
        let other = prost_types::Any {
            type_url: "type.googleapis.com/google.rpc.QuotaFailure".to_owned(),
            value: Vec::new(),
        };
        original.details.push(other.clone());
        let code = Code::from_i32(original.code);
        let details = original.encode_to_vec().into();
        let received = HttpException::from(Status::with_details(code, original.message, details));

        let changed = received.clone().try_with_member("left", &1).unwrap();
        let status = Status::from(changed);
        assert_eq!(status.message(), "plumbus 7 is sold out");
        assert!(details_of(&status).unwrap().details.contains(&other));
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.domain, "warehouse.example");
        let read = HttpException::from(over_the_wire(&status));
        assert_eq!(read.members().last().unwrap().1.get(), "1");

        let own = Status::from(received.with_code("own-code"));
        let info = own.get_details_error_info().unwrap();
        assert_eq!((&*info.reason, &*info.domain), ("OWN_CODE", ""));
    }

    #[test]
    fn details_of_a_message_that_is_not_shown_are_not_read() {
        let sent = Status::from(eloquent());
        let details = Bytes::copy_from_slice(sent.details());
        let mut hidden = Status::with_details(sent.code(), Secret.to_string(), details);
        hidden.set_source(Arc::new(Secret));
        let exception = HttpException::from(hidden);
        assert_eq!(exception.to_string(), "409: Conflict");
        assert!(exception.supplement().is_none());
    }

    #[test]
    fn a_member_that_a_struct_cannot_hold_is_left_out() {
        let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
        let deep = (0..120).fold(json!(1), |inner, _| json!([inner]));
        let exception = HttpException::conflict("sold out")
            .try_with_member("lone", &raw(r#""\ud800""#))
            .and_then(|it| it.try_with_member("huge", &raw("1e999")))
            .and_then(|it| it.try_with_member("deep", &deep))
            .and_then(|it| it.try_with_member("left", &0))
            .unwrap();
        let read = HttpException::from(over_the_wire(&exception.clone().into()));
        assert_eq!(read.to_string(), "409: sold out");
        let names: Vec<_> = read.members().map(|(name, _)| name).collect();
        assert_eq!(names, ["left"]);
        assert_eq!(exception.members().len(), 4);
    }

    #[test]
    fn the_least_important_details_go_first() {
        let json = |len: usize| json!({ "y": "y".repeat(len) });
        for (detail, member, title, expected) in [
            (10, 10, 10, "detail members type code"),
            (10, 6_000, 10, "detail type code"),
            (4_000, 4_000, 10, "detail type code"),
            (6_000, 6_000, 10, "type code"),
            (10, 10, 6_000, "code"),
        ] {
            let exception = eloquent()
                .with_detail(json(detail))
                .with_title("t".repeat(title))
                .try_with_member("left", &"m".repeat(member))
                .unwrap();
            let status = Status::from(exception);
            let details = details_of(&status).unwrap().details;
            let mut got: Vec<_> = ["detail", "members"][..]
                .iter()
                .zip(details.iter().filter(|it| it.type_url.ends_with("Struct")))
                .map(|(name, _)| *name)
                .collect();
            got.extend(status.get_details_help().map(|_| "type"));
            got.extend(status.get_details_error_info().map(|_| "code"));
            assert_eq!(got.join(" "), expected, "{detail} {member} {title}");
            assert!(status.get_details_retry_info().is_some());
        }
        let endless = Status::from(HttpException::gone("").with_code("x".repeat(8_000)));
        assert!(endless.details().is_empty());
    }

    #[test]
    fn a_long_text_is_cut_in_favor_of_a_code() {
        let status = Status::from(eloquent().with_detail("y".repeat(7_000)));
        assert!(status.message().ends_with("y..."));
        assert!(status.message().len() > 1_400, "{}", status.message().len());
        assert!(status.get_details_error_info().is_some());
    }

    proptest! {
        /// A client may refuse more than 8 KiB, and details that differ from the status.
        #[test]
        fn details_fit_and_repeat_the_status(
            text in "[a-zß{ ]{0,200}",
            times in 0_usize..60,
            is_json: bool,
            lengths in prop::array::uniform4(prop_oneof![0_usize..100, 0_usize..6_000]),
        ) {
            let [code, title, member, header] = lengths.map(|length| "x".repeat(length));
            let text = text.repeat(times);
            let exception = match is_json {
                true => HttpException::gone(json!([text])),
                false => HttpException::gone(text),
            };
            let exception = exception
                .with_code(code)
                .with_title(title)
                .with_type("https://shop.example/problems/gone")
                .with_retry_after(Duration::MAX)
                .try_with_member("member", &member)
                .unwrap()
                .try_with_header("x-header", header)
                .unwrap();
            let status = Status::from(exception);
            let mut headers = http::HeaderMap::new();
            status.add_header(&mut headers).unwrap();
            prop_assert!(headers.values().map(HeaderValue::len).sum::<usize>() < 7_300);
            if let Some(details) = details_of(&status) {
                prop_assert_eq!(details.code, status.code() as i32);
                prop_assert_eq!(details.message, status.message());
            }
            let domain = "shop.example".repeat(20);
            set_error_domain(&mut headers, &domain);
            let len = |(name, value): (&HeaderName, &HeaderValue)| {
                match name.as_str().starts_with("grpc-") && name != "grpc-retry-pushback-ms" {
                    true => value.len(),
                    false => name.as_str().len() + value.len() + 32,
                }
            };
            prop_assert!(headers.iter().map(len).sum::<usize>() <= 7 * 1024 + 64);
            let with_domain = Status::from_header_map(&headers).unwrap();
            prop_assert_eq!(with_domain.message(), status.message());
            if let Some(info) = with_domain.get_details_error_info() {
                prop_assert!(info.domain == domain || info.domain.is_empty());
            }
        }

        #[test]
        fn every_member_survives_the_wire(members in prop::collection::btree_map(any::<String>(), any_json(), 0..5)) {
            let mut exception = HttpException::gone("sold out");
            for (name, value) in &members {
                exception = exception.try_with_member(name.clone(), value).unwrap();
            }
            let read = HttpException::from(over_the_wire(&exception.into()));
            let back: BTreeMap<_, Value> = read
                .members()
                .map(|(name, json)| (name.to_owned(), serde_json::from_str(json.get()).unwrap()))
                .collect();
            prop_assert_eq!(back, members);
        }

        #[test]
        fn json_survives_the_wire(value in any_json()) {
            let exception = HttpException::bad_request(value.clone());
            let expected = match exception.detail_or_reason().to_string() {
                // A status without a message converts to the canonical reason.
                empty if empty.is_empty() => "Bad Request".to_owned(),
                text => text,
            };
            let exception = HttpException::from(over_the_wire(&exception.into()));
            let shown = exception.detail_or_reason().to_string();
            if value.is_array() || value.is_object() {
                let back: Value = serde_json::from_str(&shown).unwrap();
                prop_assert_eq!(back, value);
            } else {
                prop_assert_eq!(shown, expected);
            }
        }
    }
}
