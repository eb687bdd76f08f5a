//! HTTP responses as exceptions for a gRPC client.

use std::{
    collections::HashMap,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use serde_json::value::RawValue;

use super::content_type::GrpcContentType;
use crate::{
    exception::{Detail, HttpException},
    headers::{is_utf8_text, remove_representation},
    unwind::{catch_or, ignore_panic},
};

/// Maximum length of a body that becomes a detail, in bytes.
///
/// No gRPC client accepts as much in trailers, so reading on would be wasted.
const MAX_DETAIL_BODY_BYTES: usize = 64 * 1024;

/// Maximum number of frames of such a body. Frames may be empty, without end.
const MAX_DETAIL_FRAMES: usize = 1024;

/// Returns whether a handler's response is already one of gRPC's.
pub(crate) fn is_for_grpc<B>(response: &Response<B>) -> bool {
    GrpcContentType::of(response.headers()).is_some()
}

/// Converts a handler's HTTP response, which a gRPC client cannot read, to an exception.
///
/// The exception has the response's status and headers. Its detail is the text or the JSON of the
/// body. If the JSON is `{"detail": ...}`, the detail is that member alone. A body that is not
/// ready at once is ignored.
pub(crate) fn as_exception<B>(response: Response<B>) -> HttpException
where
    B: Body<Data = Bytes> + Unpin,
{
    let (head, body) = response.into_parts();
    let mut exception = HttpException::new(head.status);
    if let Some(detail) = detail(&head.headers, body) {
        exception = exception.with_detail(detail);
    }
    *exception.headers_mut() = head.headers;
    remove_representation(exception.headers_mut(), head.status);
    exception
}

/// Replaces the 404 or 405 of a router, which means that there is no such method.
///
/// gRPC has [a code of its own](https://github.com/grpc/grpc/blob/master/doc/statuscodes.md) for
/// that: UNIMPLEMENTED, to which a 501 is mapped.
pub(crate) fn no_such_method(exception: HttpException) -> HttpException {
    match exception.status() {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            let detail = exception.detail().clone();
            HttpException::new(StatusCode::NOT_IMPLEMENTED).with_detail(detail)
        }
        _ => exception,
    }
}

fn detail<B>(headers: &HeaderMap, body: B) -> Option<Detail>
where
    B: Body<Data = Bytes> + Unpin,
{
    let content_type = headers.get(CONTENT_TYPE)?;
    if is_utf8_text(content_type) {
        let text = read(body)?;
        return (!text.is_empty()).then(|| Detail::from(text));
    }
    let essence = content_type.to_str().ok()?.split(';').next()?.trim();
    let essence = essence.to_ascii_lowercase();
    if essence != "application/json" && !essence.ends_with("+json") {
        return None;
    }
    let json = read(body)?;
    let mut fields: HashMap<String, Box<RawValue>> =
        serde_json::from_str(&json).unwrap_or_default();
    let raw = match fields.remove("detail") {
        Some(detail) if fields.is_empty() => detail,
        _ => RawValue::from_string(json).ok()?,
    };
    Some(Detail::from(raw))
}

/// Returns the whole body if it is ready at once, is UTF-8 and is not too long.
fn read<B>(mut body: B) -> Option<String>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut text = Vec::new();
    let is_whole = catch_or(false, || read_into(&mut text, Pin::new(&mut body)));
    ignore_panic(|| drop(body));
    is_whole.then(|| String::from_utf8(text).ok())?
}

/// Reads a body, and returns whether that was all of it.
fn read_into<B: Body<Data = Bytes>>(text: &mut Vec<u8>, mut body: Pin<&mut B>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..MAX_DETAIL_FRAMES {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => match frame.data_ref() {
                Some(data) => text.extend_from_slice(data),
                None => return false,
            },
            Poll::Ready(None) => return true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => return false,
        }
        if text.len() > MAX_DETAIL_BODY_BYTES {
            return false;
        }
    }
    false
}
