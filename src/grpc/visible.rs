//! Parts of tonic's `Status` that are meant for a client of this server.
//!
//! A `Status` is the error of tonic's server and of its client. A handler makes one for its own
//! client. tonic's client makes one of an upstream's response or of a failed connection. Then the
//! text may name internal hosts, and the metadata holds the HTTP headers of the upstream.

use std::error::Error as _;

use http::{
    HeaderMap, HeaderName,
    header::{CONTENT_TYPE, DATE},
};
use tonic::{Code, Status};

use super::{
    code::GrpcCode,
    content_type::GrpcContentType,
    details::detail_of,
    message,
    metadata::{GRPC_MESSAGE, GRPC_STATUS_DETAILS_BIN},
};
use crate::{
    error::sources,
    exception::{Detail, HttpException},
    unwind::catch_or,
};

/// Headers that every upstream's response has, and that no handler sets in the metadata.
///
/// gRPC requires `content-type` in a response that consists of a status alone, and tonic removes it
/// from the metadata that it sends. A server with a clock sends `date` (RFC 9110, section 6.6.1).
const RESPONSE_HEADERS: [HeaderName; 2] = [CONTENT_TYPE, DATE];

/// Start of the messages that tonic makes of an HTTP/2 error, before the text of the error.
const HTTP_2_ERROR: &str = "h2 protocol error: ";

/// Start of the messages that tonic-web makes of an error, before the text of the error.
const WEB_ERROR: &str = "tonic-web: ";

/// Start of the message that tonic's client makes of a response without a status.
const NO_STATUS: &str = "grpc-status header missing, mapped from HTTP status code ";

/// Start of the message that a generated client makes of a channel that failed.
const NOT_READY: &str = "Service was not ready: ";

/// Part of the messages that tonic's client makes of a response that is not gRPC.
const NO_MESSAGE: &str = " while receiving response with status: ";

/// Returns whether tonic's client has received the status with the head of a response.
///
/// Its metadata then holds all headers of that response. A status that was received after messages
/// holds only the trailers, and cannot be distinguished from one that a handler has made.
pub(crate) fn is_received(status: &Status) -> bool {
    let metadata: &HeaderMap = status.metadata().as_ref();
    RESPONSE_HEADERS
        .iter()
        .any(|name| metadata.contains_key(name))
}

/// Returns whether the message is for clients: a handler or an upstream's application wrote it, not
/// tonic.
///
/// tonic writes the text of an error into the message: that of a connection to an upstream that
/// failed, of a stream that was reset, of a body. The error is then a source of the status.
pub(crate) fn has_visible_message(status: &Status) -> bool {
    let text = status.message();
    let metadata: &HeaderMap = status.metadata().as_ref();
    let is_of_http = metadata.contains_key(CONTENT_TYPE) && GrpcContentType::of(metadata).is_none();
    let is_of_tonic = text.starts_with(NO_STATUS)
        || text.starts_with(NOT_READY)
        || text.contains(NO_MESSAGE)
        || status.code() == Code::Internal && text.starts_with(WEB_ERROR);
    if is_of_http || is_of_tonic {
        return false;
    }
    let is_of_exception = made_of(status).is_some_and(|it| is_message_of(it, text));
    if status.source().is_none() || is_of_exception {
        return true;
    }
    let text = text.strip_prefix(HTTP_2_ERROR).unwrap_or(text);
    // The text and the source of an error are user code.
    catch_or(false, || {
        !sources(status).skip(1).any(|error| {
            let found = error.downcast_ref::<Status>();
            found.is_some_and(|found| found.message() == text) || error.to_string() == text
        })
    })
}

/// Returns the exception that the status was made of.
pub(crate) fn made_of(status: &Status) -> Option<&HttpException> {
    status.source()?.downcast_ref()
}

/// Returns the status that `exception` was made of, unless its HTTP status has changed since.
pub(crate) fn original_status(exception: &HttpException) -> Option<&Status> {
    let status = exception.origin()?.downcast_ref::<Status>()?;
    let http_status = GrpcCode::from(status.code()).http_status();
    let is_original = exception.is_converted() && http_status == exception.status();
    is_original.then_some(status)
}

/// Returns the JSON in the details of a status, or otherwise its message, unless that is not meant
/// for clients.
pub(crate) fn detail(status: &Status) -> Detail {
    if !has_visible_message(status) {
        return Detail::Canonical;
    }
    match detail_of(status.details()) {
        Some(json) => Detail::from(json),
        None if status.message().is_empty() => Detail::Canonical,
        None => Detail::from(status.message().to_owned()),
    }
}

/// Returns the message of `status`, which `exception` was made of, unless it is not meant for
/// clients or the detail has changed since.
pub(crate) fn unchanged_message<'a>(
    exception: &HttpException,
    status: &'a Status,
) -> Option<&'a str> {
    let original = HttpException::new(exception.status()).with_detail(detail(status));
    let is_unchanged = original.message() == exception.message();
    (is_unchanged && has_visible_message(status)).then(|| status.message())
}

/// Returns whether `text` is the message of the status that a client receives for `exception`.
///
/// An exception writes it for the client, also if one of its sources has the same text.
fn is_message_of(exception: &HttpException, text: &str) -> bool {
    let unchanged = original_status(exception).and_then(|it| unchanged_message(exception, it));
    exception.message() == text || unchanged == Some(text)
}

/// Removes from a response that tonic made of `status` what is not meant for its client.
pub(crate) fn withhold(headers: &mut HeaderMap, status: &Status) {
    if is_received(status) {
        let metadata: &HeaderMap = status.metadata().as_ref();
        for name in metadata.keys() {
            if name == CONTENT_TYPE {
                continue;
            }
            // A layer in between may have set the same name.
            let others: Vec<_> = headers
                .get_all(name)
                .iter()
                .filter(|value| !metadata.get_all(name).iter().any(|it| it == *value))
                .cloned()
                .collect();
            headers.remove(name);
            for value in others {
                headers.append(name, value);
            }
        }
    }
    if headers.contains_key(GRPC_MESSAGE) && !has_visible_message(status) {
        headers.insert(GRPC_MESSAGE, message::encode(reason(status)));
        headers.remove(GRPC_STATUS_DETAILS_BIN);
    }
}

/// Returns the canonical reason of the HTTP status of the status's code.
pub(crate) fn reason(status: &Status) -> &'static str {
    let http_status = GrpcCode::from(status.code()).http_status();
    http_status.canonical_reason().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::{error::Error, fmt, io, sync::Arc};
    use tonic::{ConnectError, metadata::MetadataMap};

    fn received(content_type: &str, status: Status) -> Status {
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        headers.insert(CONTENT_TYPE, HeaderValue::try_from(content_type).unwrap());
        Status::from_header_map(&headers).unwrap()
    }

    #[test]
    fn a_status_with_the_headers_of_a_response_was_received() {
        let mut own = Status::not_found("no such order");
        own.metadata_mut().insert("x-shelf", "7".parse().unwrap());
        assert!(!is_received(&own));
        assert!(is_received(&received("application/grpc", own.clone())));
        own.metadata_mut().insert("date", "now".parse().unwrap());
        assert!(is_received(&own));
    }

    #[test]
    fn a_message_that_an_application_wrote_is_visible() {
        let mut with_source = Status::unavailable("no stock");
        with_source.set_source(Arc::new(io::Error::other("10.0.0.7 is down")));
        for status in [
            Status::not_found("no such order"),
            Status::internal("for the client"),
            Status::unknown("for the client"),
            received("application/grpc+proto", Status::not_found("no such order")),
            with_source,
            HttpException::not_found("no such order").into(),
            HttpException::from(Status::not_found("no such order")).into(),
            HttpException::conflict("out of stock")
                .with_source(io::Error::other("out of stock"))
                .into(),
        ] {
            assert!(has_visible_message(&status), "{status:?}");
        }
    }

    #[derive(Debug)]
    struct Around(Box<dyn Error + Send + Sync>);

    impl fmt::Display for Around {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("around")
        }
    }

    impl Error for Around {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }

    #[test]
    fn a_message_that_tonic_made_is_not_visible() {
        let of = |error: Box<dyn Error + Send + Sync>| Status::from_error(error);
        let connect = || ConnectError(Box::new(io::Error::other("tcp connect error")));
        for status in [
            of("the password is hunter2".into()),
            of(Box::new(connect())),
            of(Box::new(Around(Box::new(connect())))),
            of(Box::new(Around(Box::new(Status::data_loss("internal"))))),
            of(Box::new(
                HttpException::bad_gateway("no prices").with_source(Status::data_loss("internal")),
            )),
            of(Box::new(
                HttpException::from(Status::data_loss("internal")).with_detail("no prices"),
            )),
            Status::internal("tonic-web: 10.0.0.7"),
            Status::unknown("Service was not ready: transport error"),
            Status::unavailable("grpc-status header missing, mapped from HTTP status code 502"),
            received(
                "text/html",
                Status::internal("Unexpected EOF decoding stream."),
            ),
        ] {
            assert!(!has_visible_message(&status), "{status:?}");
        }
    }

    #[test]
    fn a_text_that_panics_is_not_visible() {
        #[derive(Debug)]
        struct Panics;
        impl fmt::Display for Panics {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("no text")
            }
        }
        impl Error for Panics {}
        let mut status = Status::unavailable("no stock");
        status.set_source(Arc::new(Panics));
        assert!(!has_visible_message(&status));
    }

    #[test]
    fn headers_of_the_upstream_are_withheld_and_others_stay() {
        let mut metadata = MetadataMap::new();
        metadata.insert("x-internal", "10.0.0.7".parse().unwrap());
        metadata.append("vary", "theirs".parse().unwrap());
        let own = Status::with_metadata(Code::NotFound, "no such order", metadata);
        for (status, internal, vary) in [
            (own.clone(), true, vec!["theirs", "ours"]),
            (received("application/grpc", own), false, vec!["ours"]),
        ] {
            let mut response = status.clone().into_http::<()>();
            let ours = HeaderValue::from_static("ours");
            response.headers_mut().append("vary", ours);
            withhold(response.headers_mut(), &status);
            let headers = response.headers();
            assert_eq!(headers.contains_key("x-internal"), internal);
            assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), vary);
            assert_eq!(headers["grpc-status"], "5");
            assert_eq!(headers["grpc-message"], "no%20such%20order");
            assert_eq!(headers[CONTENT_TYPE], "application/grpc");
        }
    }
}
