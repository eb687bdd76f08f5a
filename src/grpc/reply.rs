use std::{
    collections::HashMap,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Response, header::CONTENT_TYPE};
use http_body::Body;
use serde_json::value::RawValue;

use super::Protocol;
use crate::{Detail, HttpException, response::DESCRIBE_BODY};

/// The longest body that becomes a detail. No gRPC client takes as much in trailers.
const LONGEST: usize = 64 * 1024;

/// Whether a handler has made the response for a gRPC client itself.
pub(crate) fn is_for_grpc<B>(response: &Response<B>) -> bool {
    Protocol::of(response.headers()).is_some()
}

/// The exception that a handler's response is to a gRPC client, which could not read it: its status, its
/// headers, and for detail its text or its JSON, `{"detail": ...}` being only the detail. A body that is not
/// there at once is none.
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
    for name in &DESCRIBE_BODY {
        exception.headers_mut().remove(name);
    }
    exception
}

fn detail<B>(headers: &HeaderMap, body: B) -> Option<Detail>
where
    B: Body<Data = Bytes> + Unpin,
{
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = content_type.split(';').next()?.trim().to_ascii_lowercase();
    if essence == "text/plain" {
        let text = read(body)?;
        return (!text.is_empty()).then(|| Detail::from(text));
    }
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

/// The whole of a body that is there at once, and is text.
fn read<B>(mut body: B) -> Option<String>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut text = Vec::new();
    loop {
        match Pin::new(&mut body).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => text.extend_from_slice(frame.data_ref()?),
            Poll::Ready(None) => return String::from_utf8(text).ok(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => return None,
        }
        if text.len() > LONGEST {
            return None;
        }
    }
}
