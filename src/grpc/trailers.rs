//! Status in the trailers of a body: of one that has failed, and of one that the service has ended.

use std::{
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, header::DATE};
use http_body::Frame;

use super::{
    code::GrpcCode,
    fields::limit_status,
    message,
    metadata::{GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS_BIN},
    web::MessageTracker,
};
use crate::{
    exception::HttpException,
    headers::{CONTENT, FRAMING, remove_all, set},
};

/// Future of the trailers, which is pending while an async handler runs.
pub(crate) type Trailers = Pin<Box<dyn Future<Output = HeaderMap> + Send>>;

/// Last frame of a body that has failed.
pub(crate) struct FinalFrame {
    /// A response body has to be `Sync` if the inner body is, and the boxed future is only `Send`,
    /// because a user's async handler need not be more. The mutex makes the frame `Sync`. It is
    /// never locked: `poll` has exclusive access.
    trailers: Mutex<Trailers>,
    /// Position in the messages of a gRPC-Web body. `None` if the status goes into HTTP trailers.
    tracker: Option<MessageTracker>,
}

impl FinalFrame {
    pub(crate) fn new(trailers: Trailers, tracker: Option<MessageTracker>) -> Self {
        let trailers = Mutex::new(trailers);
        Self { trailers, tracker }
    }

    /// Polls for the frame.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Frame<Bytes>> {
        // Nothing locks the mutex, so nothing poisons it.
        let trailers = self
            .trailers
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let trailers = ready!(trailers.as_mut().poll(cx));
        Poll::Ready(match &self.tracker {
            None => Frame::trailers(trailers),
            Some(tracker) => Frame::data(tracker.trailer_frame(&trailers)),
        })
    }
}

/// Returns the exception that stands for the status in the trailers of a body, and its code, unless
/// the status is OK or there is none.
///
/// The exception has the HTTP status of the code, and the message as its detail.
#[cold]
pub(crate) fn failure_in_trailers(trailers: &HeaderMap) -> Option<(HttpException, GrpcCode)> {
    let code = trailers.get(GRPC_STATUS)?.to_str().ok();
    // A code that is no number is UNKNOWN, as for gRPC's own clients.
    let code = code
        .and_then(|code| code.trim().parse().ok())
        .map_or(GrpcCode::Unknown, GrpcCode::from_i32);
    if code == GrpcCode::Ok {
        return None;
    }
    let mut exception = HttpException::new(code.http_status());
    let text = trailers.get(GRPC_MESSAGE).map(message::decode);
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        exception = exception.with_detail(text);
    }
    Some((exception, code))
}

/// Takes from trailers that the service itself sends what is not meant for the client, and limits
/// their size.
///
/// A stream may end with the status that tonic's client received with the head of an upstream's
/// response. Its metadata holds all headers of that response, of which `date` is one. An
/// application sends no `date` in trailers (RFC 9110, section 6.5.1).
#[cold]
pub(crate) fn restrict_trailers(trailers: &mut HeaderMap) {
    if trailers.contains_key(DATE) {
        let fields = [GRPC_STATUS, GRPC_MESSAGE, GRPC_STATUS_DETAILS_BIN];
        let names: Vec<_> = trailers.keys().cloned().collect();
        remove_all(trailers, names.iter().filter(|name| !fields.contains(name)));
    }
    limit_status(trailers);
}

/// Converts the head of a rendered response to trailers, after another head has been sent.
///
/// A handler's response with messages of its own cannot follow the messages that were sent. It
/// becomes UNKNOWN without a message.
pub(crate) fn into_trailers(mut headers: HeaderMap) -> HeaderMap {
    remove_all(&mut headers, CONTENT.iter().chain(&FRAMING));
    if !headers.contains_key(GRPC_STATUS) {
        set(&mut headers, GRPC_STATUS, GrpcCode::Unknown.header_value());
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn trailers(status: &'static str, text: &str) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert(GRPC_STATUS, HeaderValue::from_static(status));
        trailers.insert(GRPC_MESSAGE, message::encode(text));
        trailers
    }

    #[test]
    fn a_status_in_trailers_is_a_failure_unless_it_is_ok() {
        for (status, text, expected) in [
            (
                "5",
                "no such item",
                Some(("404: no such item", GrpcCode::NotFound)),
            ),
            (
                "15",
                "gr\u{fc}n",
                Some(("500: gr\u{fc}n", GrpcCode::DataLoss)),
            ),
            (
                "8",
                "",
                Some(("429: Too Many Requests", GrpcCode::ResourceExhausted)),
            ),
            ("99", "x", Some(("500: x", GrpcCode::Unknown))),
            ("x", "x", Some(("500: x", GrpcCode::Unknown))),
            ("", "x", Some(("500: x", GrpcCode::Unknown))),
            ("0", "", None),
            ("0", "fine", None),
        ] {
            let failure = failure_in_trailers(&trailers(status, text));
            let failure = failure.map(|(exception, code)| (exception.to_string(), code));
            let expected = expected.map(|(shown, code)| (shown.to_owned(), code));
            assert_eq!(failure, expected, "{status} {text}");
        }
        assert!(failure_in_trailers(&HeaderMap::new()).is_none());
    }

    #[test]
    fn trailers_with_the_headers_of_an_upstream_keep_only_the_status() {
        let mut own = trailers("5", "no such item");
        own.insert("x-internal", HeaderValue::from_static("10.0.0.7"));
        let mut received = own.clone();
        received.insert(DATE, HeaderValue::from_static("now"));
        let mut restricted = own.clone();
        restrict_trailers(&mut restricted);
        assert_eq!(restricted, own);
        restrict_trailers(&mut received);
        assert_eq!(received, trailers("5", "no such item"));
        let mut long = trailers("5", &"n".repeat(20_000));
        restrict_trailers(&mut long);
        assert!(long[GRPC_MESSAGE].len() <= 7 * 1024);
    }

    proptest! {
        #[test]
        fn the_failure_is_the_one_that_a_client_reads(number in 1_i32..17, text: String) {
            let mut headers = HeaderMap::new();
            let status = tonic::Status::new(tonic::Code::from_i32(number), &text);
            status.add_header(&mut headers).unwrap();
            let (exception, code) = failure_in_trailers(&headers).unwrap();
            prop_assert_eq!(code, number);
            prop_assert_eq!(exception.status(), code.http_status());
            if !text.is_empty() {
                prop_assert_eq!(exception.detail_or_reason().to_string(), text);
            }
        }

        #[test]
        fn no_trailers_are_too_strange_to_read(status: Vec<u8>, text: Vec<u8>) {
            let mut trailers = HeaderMap::new();
            for (name, value) in [(GRPC_STATUS, status), (GRPC_MESSAGE, text)] {
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    trailers.insert(name, value);
                }
            }
            failure_in_trailers(&trailers);
        }
    }

    #[test]
    fn final_frame_is_send_and_sync() {
        fn assert_send_and_sync<T: Send + Sync>() {}
        assert_send_and_sync::<FinalFrame>();
    }
}
