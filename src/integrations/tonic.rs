use std::{error::Error, sync::Arc};

use bytes::Bytes;
use http::StatusCode;
use tonic::{Code, Status, TimeoutExpired, metadata::MetadataMap};

use crate::{
    Detail, GrpcCode, HttpException,
    exception::Shown,
    grpc::{Told, details, into_metadata},
    response::internal_server_error,
};

/// The status that a gRPC client is given for `exception`: so `?` works in a tonic handler.
///
/// It has the code that the exception's HTTP status [stands for](crate::GrpcCode), the detail as its message, JSON
/// also as its [details](crate::docs::grpc#details), and the headers as its metadata. The exception is its source,
/// so that a layer's handlers and observers find it.
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
        let shown = if exception.status().is_informational() {
            &internal_server_error()
        } else {
            &exception
        };
        let Told {
            code,
            message,
            details,
        } = told(shown);
        let mut headers = shown.headers().clone();
        into_metadata(&mut headers);
        let metadata = MetadataMap::from_headers(headers);
        let mut status = Self::with_details_and_metadata(code.into(), message, details, metadata);
        status.set_source(Arc::new(exception));
        status
    }
}

/// The exception that a status is to a client that does not speak gRPC: with the HTTP status that its code
/// [maps to](crate::GrpcCode::http_status), its message for a detail, or the JSON in its
/// [details](crate::docs::grpc#details), and its metadata for headers.
///
/// The status is its source, and to a gRPC client it goes out as it was. A status that was made of an exception
/// gives that one back. The message of one that tonic made of an error (`Status::from_error`) is not shown.
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
        let made_of = status.source().and_then(|source| source.downcast_ref());
        let mut exception = match made_of {
            Some(exception) => Self::clone(exception),
            None => Self::new(GrpcCode::from(status.code()).http_status())
                .with_detail(detail(&status))
                .with_source(status.clone()),
        };
        for (name, value) in &status.metadata().clone().into_headers() {
            if made_of.is_none() || !exception.headers().contains_key(name) {
                exception = exception.with_header(name.clone(), value.clone());
            }
        }
        exception
    }
}

/// The same code, as tonic has it.
impl From<GrpcCode> for Code {
    fn from(code: GrpcCode) -> Self {
        Self::from_i32(code.number())
    }
}

/// The same code, as this crate has it.
impl From<Code> for GrpcCode {
    fn from(code: Code) -> Self {
        Self::from_number(code.into())
    }
}

/// What one of tonic's own errors comes to, where no handler answers it.
pub(crate) fn known(error: &(dyn Error + 'static)) -> Option<HttpException> {
    if error.is::<TimeoutExpired>() {
        return Some(HttpException::new(StatusCode::GATEWAY_TIMEOUT));
    }
    let status = error.downcast_ref::<Status>()?;
    (!stands_for_an_error(status)).then(|| status.clone().into())
}

/// Whether tonic has made a status of an error that is not for clients: its body types turn every error into one,
/// with the error's text for a message.
fn stands_for_an_error(status: &Status) -> bool {
    match status.code() {
        Code::Unknown => status
            .source()
            .is_some_and(|source| source.to_string() == status.message()),
        Code::Internal => status.message().starts_with("tonic-web: "),
        _ => false,
    }
}

/// What a gRPC client is told of `exception`. Where it stands for a status that is what the status says, as far as the
/// exception was not changed since.
pub(crate) fn told(exception: &HttpException) -> Told {
    let mut told = Told::of(exception);
    if let Some(status) = status_behind(exception) {
        let as_it_was = HttpException::new(exception.status()).with_detail(detail(status));
        told.code = status.code().into();
        if !stands_for_an_error(status) && as_it_was.shown().to_string() == told.message {
            return Told {
                message: status.message().to_owned(),
                details: Bytes::copy_from_slice(status.details()),
                ..told
            };
        }
    }
    let detail = match exception.shown() {
        Shown::Json(json) => details::of_json(json),
        Shown::Text(_) => None,
    };
    match detail {
        Some(detail) => told.with_details(|code, message| details::encode(code, message, &detail)),
        None => told.cut(),
    }
}

/// The status that `exception` was made of, unless it was given another HTTP status since.
fn status_behind(exception: &HttpException) -> Option<&Status> {
    let status = exception.origin()?.downcast_ref::<Status>()?;
    let http_status = GrpcCode::from(status.code()).http_status();
    (http_status == exception.status()).then_some(status)
}

/// The JSON in a status's details, and else its message, unless that is not for clients.
fn detail(status: &Status) -> Detail {
    if stands_for_an_error(status) {
        return Detail::Canonical;
    }
    match details::decode(status.details()) {
        Some(json) => Detail::from(json),
        None if status.message().is_empty() => Detail::Canonical,
        None => Detail::from(status.message().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;
    use prost::Message as _;
    use serde_json::{Value, json};
    use std::fmt;

    #[test]
    fn an_exception_comes_back_from_its_status() {
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

    /// As a client gets it, who knows nothing of where it came from.
    fn over_the_wire(status: &Status) -> Status {
        let mut headers = http::HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        Status::from_header_map(&headers).unwrap()
    }

    #[test]
    fn a_status_comes_back_from_its_exception() {
        for number in 0..17 {
            let mut metadata = MetadataMap::new();
            metadata.insert("x-shelf", "7".parse().unwrap());
            let code = Code::from_i32(number);
            let details = Bytes::from_static(b"opaque");
            let status = Status::with_details_and_metadata(code, "why", details, metadata);
            let exception = HttpException::from(status);
            assert_eq!(exception.status(), GrpcCode::from(code).http_status());
            assert_eq!(
                exception.detail().shown(exception.status()).to_string(),
                "why"
            );

            let status = Status::from(exception.clone());
            assert_eq!((status.code(), status.message()), (code, "why"));
            assert_eq!(status.details(), b"opaque");
            assert_eq!(status.metadata().get("x-shelf").unwrap(), "7");

            // What was changed since is told, and not what the status said of it.
            let status = Status::from(exception.with_detail("why not"));
            assert_eq!((status.code(), status.message()), (code, "why not"));
            assert!(status.details().is_empty());
        }
    }

    #[test]
    fn a_status_without_a_message_has_the_canonical_reason() {
        let exception = HttpException::from(Status::not_found(""));
        assert_eq!(exception.to_string(), "404: Not Found");
        assert_eq!(Status::from(exception).message(), "");
    }

    #[test]
    fn tonics_own_timeout_is_one() {
        let exception = known(&TimeoutExpired(())).unwrap();
        assert_eq!(Status::from(exception).code(), Code::DeadlineExceeded);
    }

    #[test]
    fn an_informational_status_is_an_internal_error() {
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
    fn what_tonic_made_of_an_error_is_not_known() {
        assert!(known(&Status::from_error(Box::new(Secret))).is_none());
        assert!(known(&Status::internal(format!("tonic-web: {Secret}"))).is_none());
        let exception = HttpException::from(Status::from_error(Box::new(Secret)));
        assert_eq!(exception.to_string(), "500: Internal Server Error");
        assert_eq!(Status::from(exception).message(), "Internal Server Error");
        assert!(known(&Status::unknown("for the client")).is_some());
        assert!(known(&Status::internal("for the client")).is_some());
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

    /// Of a status that a client gets, if it has any.
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
    fn json_that_is_too_deep_to_be_decoded_is_in_the_message_alone() {
        let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        for (depth, has_details) in [(30, true), (120, false)] {
            let status = Status::from(HttpException::gone(nested(depth)));
            assert_eq!(details_of(&status).is_some(), has_details, "{depth}");
            assert_eq!(status.message(), nested(depth).to_string());
        }
    }

    #[test]
    fn a_message_gives_way_to_details() {
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

    proptest! {
        /// A client may refuse more than 8 KiB, and details that do not say the same.
        #[test]
        fn details_fit_and_say_what_the_status_says(text in "[a-zß{ ]{0,200}", times in 0_usize..60) {
            let status = Status::from(HttpException::gone(json!([text.repeat(times)])));
            let mut headers = http::HeaderMap::new();
            status.add_header(&mut headers).unwrap();
            prop_assert!(headers.values().map(HeaderValue::len).sum::<usize>() < 7_300);
            if let Some(details) = details_of(&status) {
                prop_assert_eq!(details.code, status.code() as i32);
                prop_assert_eq!(details.message, status.message());
            }
        }

        #[test]
        fn json_comes_back_from_the_wire(value in any_json()) {
            let exception = HttpException::bad_request(value.clone());
            let expected = match exception.shown_detail().to_string() {
                // A status without a message is one that has nothing to say.
                empty if empty.is_empty() => "Bad Request".to_owned(),
                text => text,
            };
            let exception = HttpException::from(over_the_wire(&exception.into()));
            let shown = exception.shown_detail().to_string();
            if value.is_array() || value.is_object() {
                let back: Value = serde_json::from_str(&shown).unwrap();
                prop_assert_eq!(back, value);
            } else {
                prop_assert_eq!(shown, expected);
            }
        }
    }
}
