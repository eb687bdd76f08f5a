//! From an exception to a gRPC status, in the head of a response.

use http::{HeaderMap, HeaderName, Response, StatusCode, header};

use super::{GrpcCode, Protocol, message};
use crate::{
    HttpException, log,
    response::{DESCRIBE_BODY, FRAMING},
};

pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Whether a head is that of a response that is a status and nothing else.
pub(crate) fn is_status(headers: &HeaderMap) -> bool {
    headers.contains_key(GRPC_STATUS) && Protocol::of(headers).is_some()
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
    drop_reserved(headers);
    headers.insert(header::CONTENT_TYPE, protocol.content_type());
    let code = GrpcCode::from(exception.status());
    headers.insert(GRPC_STATUS, code.into());
    let message = exception.shown().to_string();
    if !message.is_empty() {
        headers.insert(GRPC_MESSAGE, message::encode(&message));
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
        .or_insert_with(|| GrpcCode::Unknown.into());
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

/// Leaves of `headers` what is metadata.
fn drop_reserved(headers: &mut HeaderMap) {
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
}

/// Names that are gRPC's own, or the connection's. Among gRPC's, a server may say itself when to
/// [try again](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback).
fn is_reserved(name: &HeaderName) -> bool {
    let is_grpc = name.as_str().starts_with("grpc-") && name != "grpc-retry-pushback-ms";
    is_grpc || name == header::USER_AGENT || FRAMING.contains(name)
}
