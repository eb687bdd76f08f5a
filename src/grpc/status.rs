//! From an exception to a gRPC status, in the head of a response.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use super::{GrpcCode, Protocol, base64, message};
use crate::{
    HttpException, log,
    response::{DESCRIBE_BODY, FRAMING},
};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS_BIN: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// How long a client is to wait before it [tries again], which is for servers to say.
///
/// [tries again]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback
const GRPC_RETRY_PUSHBACK_MS: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// What message and details may take together. Clients may refuse trailers of more than 8 KiB, and some do: then
/// all that they see is their own complaint about it.
const ROOM: usize = 7 * 1024;

/// What there is of that for the message beside long details.
#[cfg(feature = "tonic")]
const LEAST: usize = 256;

/// Whether a head is that of a response that is a status and nothing else.
pub(crate) fn is_status(headers: &HeaderMap) -> bool {
    code_of(headers).is_some()
}

/// The code of such a response.
pub(crate) fn code_of(headers: &HeaderMap) -> Option<GrpcCode> {
    let code = headers.get(GRPC_STATUS)?;
    Protocol::of(headers)?;
    let number = code.to_str().ok()?.parse().ok()?;
    Some(GrpcCode::from_number(number))
}

/// Makes `response` the one that `exception` is: trailers-only, as [gRPC over HTTP/2] calls a status in the
/// head of a response that has no body. In gRPC-Web it is [the same][web].
///
/// [gRPC over HTTP/2]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
/// [web]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md#protocol-differences-vs-grpc-over-http2
pub(crate) fn respond<B>(
    response: &mut Response<B>,
    exception: &mut HttpException,
    protocol: Protocol,
) {
    if let Some(metadata) = exception.take_headers() {
        *response.headers_mut() = metadata;
    }
    respond_anew(response, exception, protocol);
}

/// The same for a response that `exception` was rendered to in another form. What is in its head goes out as
/// metadata, which the exception's headers are among.
pub(crate) fn respond_anew<B>(
    response: &mut Response<B>,
    exception: &HttpException,
    protocol: Protocol,
) {
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    into_metadata(headers);
    headers.insert(header::CONTENT_TYPE, protocol.content_type());
    #[cfg(feature = "tonic")]
    let told = crate::integrations::tonic::told(exception);
    #[cfg(not(feature = "tonic"))]
    let told = Told::of(exception).cut();
    headers.insert(GRPC_STATUS, told.code.header_value());
    if !told.message.is_empty() {
        headers.insert(GRPC_MESSAGE, message::encode(&told.message));
    }
    if !told.details.is_empty() {
        let details = base64::encode(&told.details);
        // As a header has it: without padding.
        if let Ok(details) = HeaderValue::from_str(details.trim_end_matches('=')) {
            headers.insert(GRPC_STATUS_DETAILS_BIN, details);
        }
    }
}

/// What a gRPC client is told, beside metadata.
pub(crate) struct Told {
    pub(crate) code: GrpcCode,
    pub(crate) message: String,
    /// A `google.rpc.Status`, or nothing.
    pub(crate) details: Bytes,
}

impl Told {
    pub(crate) fn of(exception: &HttpException) -> Self {
        Self {
            code: exception.status().into(),
            message: exception.shown().to_string(),
            details: Bytes::new(),
        }
    }

    /// As much of the message as there is room for.
    pub(crate) fn cut(mut self) -> Self {
        message::cut(&mut self.message, ROOM);
        self
    }

    /// Adds the details, which `encode` makes of code and message, unless there is no room for them. A long message
    /// gives way to them.
    #[cfg(feature = "tonic")]
    pub(crate) fn with_details(self, encode: impl Fn(GrpcCode, &str) -> Bytes) -> Self {
        for room in [ROOM, LEAST] {
            let mut message = self.message.clone();
            message::cut(&mut message, room);
            let details = encode(self.code, &message);
            if message::longest(&message) + base64::length(details.len()) <= ROOM {
                return Self {
                    message,
                    details,
                    ..self
                };
            }
        }
        log::header_dropped(&GRPC_STATUS_DETAILS_BIN, "it is too long");
        self.cut()
    }
}

/// What is left of the head of an answer where another head is out already: trailers. An answer of a handler's
/// own that is messages cannot follow, and says nothing of why.
pub(crate) fn into_trailers(mut headers: HeaderMap) -> HeaderMap {
    for name in DESCRIBE_BODY.iter().chain(&FRAMING) {
        headers.remove(name);
    }
    headers
        .entry(GRPC_STATUS)
        .or_insert_with(|| GrpcCode::Unknown.header_value());
    headers
}

/// A router's 404 or 405 says that there is no such method, for which gRPC has
/// [a code of its own](https://github.com/grpc/grpc/blob/master/doc/statuscodes.md).
pub(crate) fn no_such_method(exception: HttpException) -> HttpException {
    match exception.status() {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            let detail = exception.detail().clone();
            HttpException::new(StatusCode::NOT_IMPLEMENTED).with_detail(detail)
        }
        _ => exception,
    }
}

/// Leaves of `headers` what is metadata. When to try again is said as gRPC has it too.
pub(crate) fn into_metadata(headers: &mut HeaderMap) {
    for name in &DESCRIBE_BODY {
        headers.remove(name);
    }
    let dropped: Vec<_> = headers
        .iter()
        .filter(|(name, value)| is_reserved(name) || value.to_str().is_err())
        .map(|(name, _)| name.clone())
        .collect();
    for name in &dropped {
        headers.remove(name);
        log::header_dropped(name, "it cannot be gRPC metadata");
    }
    if let Some(milliseconds) = headers.get(header::RETRY_AFTER).and_then(pushback) {
        let pushback = headers.entry(GRPC_RETRY_PUSHBACK_MS);
        pushback.or_insert_with(|| milliseconds.into());
    }
}

/// The seconds of a `retry-after` as milliseconds. A date is left to those who read that header.
fn pushback(retry_after: &HeaderValue) -> Option<i32> {
    let seconds: u16 = retry_after.to_str().ok()?.parse().ok()?;
    Some(i32::from(seconds) * 1000)
}

/// Names that are gRPC's own, or the connection's.
fn is_reserved(name: &HeaderName) -> bool {
    let is_grpc = name.as_str().starts_with("grpc-") && name != GRPC_RETRY_PUSHBACK_MS;
    is_grpc || name == header::USER_AGENT || FRAMING.contains(name)
}
