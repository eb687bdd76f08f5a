//! From an exception to its response, by the rules that hold whatever the renderer.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
};

use crate::{
    HttpException, log,
    render::{Rendered, json},
};

/// Headers that frame the message or belong to the connection (RFC 9110, sections 6.6.2, 7.6.1 and
/// 8.6; RFC 9112, section 6.1): the server's to set.
static FRAMING: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    CONTENT_LENGTH,
    UPGRADE,
];

/// The response that `exception` is, as the default renderer has it, with the exception attached.
///
/// Attached means: in the response's extensions, where an
/// [`ExceptionLayer`](crate::ExceptionLayer) further out finds it and may render it anew. Without
/// a layer the client gets this response.
///
/// ```
/// use http::Response;
/// use http_body_util::Full;
/// use tower_exception::HttpException;
///
/// let response: Response<Full<bytes::Bytes>> = HttpException::not_found("Item not found").into();
/// assert_eq!(response.status(), 404);
/// assert_eq!(response.headers()["content-type"], "application/json");
/// assert!(response.extensions().get::<HttpException>().is_some());
/// ```
impl<B: From<Bytes>> From<HttpException> for Response<B> {
    fn from(exception: HttpException) -> Self {
        let mut response = Response::default();
        respond(&mut response, exception, json::render, false, true);
        response.map(B::from)
    }
}

/// Makes `response` the one that `exception` is: for a `HEAD` request where `head` is set, with the
/// exception attached where `attach` is.
pub(crate) fn respond(
    response: &mut Response<Bytes>,
    mut exception: HttpException,
    render: impl FnOnce(&HttpException) -> Rendered,
    head: bool,
    attach: bool,
) {
    if exception.status().is_informational() {
        log::informational_status(exception.status());
        exception = HttpException::new(StatusCode::INTERNAL_SERVER_ERROR);
    }
    *response.status_mut() = exception.status();
    let headers = if attach {
        exception.headers_if_any().cloned()
    } else {
        exception.take_headers()
    };
    if let Some(mut headers) = headers {
        drop_framing(&mut headers, exception.status());
        *response.headers_mut() = headers;
    }
    set_body(response, &exception, render, head);
    if attach {
        response.extensions_mut().insert(exception);
    }
}

/// Renders `exception` in place of what `response` had for a body. What others have put in the head
/// since the first rendering stays, bar what describes the old body.
pub(crate) fn respond_anew(
    response: &mut Response<Bytes>,
    exception: HttpException,
    render: impl FnOnce(&HttpException) -> Rendered,
    head: bool,
    attach: bool,
) {
    let headers = response.headers_mut();
    for name in [
        CONTENT_TYPE,
        CONTENT_LENGTH,
        CONTENT_ENCODING,
        CONTENT_RANGE,
    ] {
        headers.remove(name);
    }
    if let Some(content_type) = exception.headers().get(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, content_type.clone());
    }
    set_body(response, &exception, render, head);
    if attach {
        response.extensions_mut().insert(exception);
    }
}

/// Sets the body, and the headers that describe it, by the response's status.
fn set_body(
    response: &mut Response<Bytes>,
    exception: &HttpException,
    render: impl FnOnce(&HttpException) -> Rendered,
    head: bool,
) {
    let status = response.status();
    // RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5.
    if let StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED = status {
        response.headers_mut().remove(CONTENT_TYPE);
        if status == StatusCode::RESET_CONTENT {
            let none = HeaderValue::from_static("0");
            response.headers_mut().insert(CONTENT_LENGTH, none);
        }
        return;
    }
    let Rendered { content_type, body } = render(exception);
    let headers = response.headers_mut();
    if headers.is_empty() || !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    if head {
        // The length of the body that a GET would have got (RFC 9110, section 9.3.2): the server
        // cannot see it from a body that is not sent.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    } else {
        *response.body_mut() = body;
    }
}

fn drop_framing(headers: &mut HeaderMap, status: StatusCode) {
    for name in &FRAMING {
        // A 426 has to say what to upgrade to (RFC 9110, section 15.5.22).
        if name == UPGRADE && status == StatusCode::UPGRADE_REQUIRED {
            continue;
        }
        if headers.remove(name).is_some() {
            log::header_dropped(name, "the server sets it");
        }
    }
}
