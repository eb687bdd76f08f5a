//! From an exception to its response: the rules that hold for every renderer.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, UPGRADE},
};
use http_body::Body;

use super::{Rendered, render_json};
use crate::{
    caught::{Mechanism, attached::attach, failure::Failure},
    diagnostics,
    exception::{Exception, HttpException, WebSocketException},
    format::ResponseFormat,
    grpc,
    headers::{FRAMING, REPRESENTATION, remove_all},
    raise::slot::is_inside_a_scope,
    unwind::ignore_panic,
};

/// Has `render` render the exception that stands for `failure`, to which no handler has replied.
///
/// `rejection` replaces the 403 for a WebSocket exception. The failure is attached to the response
/// if there is an outer layer, which may still handle it.
#[inline]
pub(crate) fn render_failure<B>(
    response: &mut Response<B>,
    failure: &mut Failure,
    rejection: Option<HttpException>,
    format: ResponseFormat,
    render: impl FnOnce(&mut Response<B>, &mut HttpException),
) {
    let provisional = is_inside_a_scope().then(|| failure.clone());
    let is_adopted = failure.mechanism == Mechanism::Adopted;
    let mut known = failure.known_exception();
    let mut substitute;
    let mut exception = match (&mut known, failure.as_exception_mut()) {
        (Some(exception), _) | (None, Some(Exception::Http(exception))) => exception,
        (None, Some(Exception::WebSocket(exception))) => {
            let forbidden = || handshake_rejection(StatusCode::FORBIDDEN, exception);
            substitute = rejection.unwrap_or_else(forbidden);
            &mut substitute
        }
        (None, None) => {
            substitute = HttpException::new(StatusCode::INTERNAL_SERVER_ERROR);
            &mut substitute
        }
    };
    let mut unimplemented;
    if let (ResponseFormat::Grpc(_), true) = (format, is_adopted) {
        unimplemented = grpc::no_such_method(exception.clone());
        exception = &mut unimplemented;
    }
    render(response, exception);
    if let Some(failure) = provisional {
        attach(response, failure);
    }
}

/// Renders `exception` into `response`, which is empty, in the format of the request. The
/// exception's headers are moved there unless `keep_headers`.
pub(crate) fn render_into<B: From<Bytes>>(
    response: &mut Response<B>,
    exception: &mut HttpException,
    render: impl FnOnce(&HttpException) -> Rendered,
    format: ResponseFormat,
    keep_headers: bool,
) {
    if exception.status().is_informational() {
        diagnostics::informational_status(exception.status());
        *exception = HttpException::new(StatusCode::INTERNAL_SERVER_ERROR);
    }
    if let ResponseFormat::Grpc(content_type) = format {
        return grpc::render_into(response, exception, content_type);
    }
    *response.status_mut() = exception.status();
    let headers = if keep_headers {
        exception.headers_if_any().cloned()
    } else {
        exception.take_headers()
    };
    if let Some(mut headers) = headers {
        drop_framing(&mut headers, exception.status());
        *response.headers_mut() = headers;
    }
    set_body(response, exception, render, format);
}

/// Renders `exception` in place of the body that `response` had. The head stays, except for the
/// headers that describe the old body.
pub(crate) fn rerender_into<B: From<Bytes>>(
    response: &mut Response<B>,
    exception: &HttpException,
    render: impl FnOnce(&HttpException) -> Rendered,
    format: ResponseFormat,
) {
    if let ResponseFormat::Grpc(content_type) = format {
        return grpc::rerender_into(response, exception, content_type);
    }
    let headers = response.headers_mut();
    remove_all(headers, &REPRESENTATION);
    // The exception's own headers describe the new body as they described the first one.
    for name in &REPRESENTATION {
        if name != CONTENT_LENGTH {
            for value in exception.headers().get_all(name) {
                headers.append(name, value.clone());
            }
        }
    }
    set_body(response, exception, render, format);
}

/// Sets the body, and the headers that describe it, for the response's status.
fn set_body<B: From<Bytes>>(
    response: &mut Response<B>,
    exception: &HttpException,
    render: impl FnOnce(&HttpException) -> Rendered,
    format: ResponseFormat,
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
    let (content_type, body) = render(exception).into_parts();
    let headers = response.headers_mut();
    if headers.is_empty() || !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    if format == ResponseFormat::Head {
        // The length of the body that a `GET` would receive (RFC 9110, section 9.3.2). The server
        // cannot derive it from a body that is not sent.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    } else {
        *response.body_mut() = body.into();
    }
}

fn drop_framing(headers: &mut HeaderMap, status: StatusCode) {
    // A 426 names the protocol to upgrade to (RFC 9110, section 15.5.22).
    let upgrade = match status {
        StatusCode::UPGRADE_REQUIRED => headers.remove(UPGRADE),
        _ => None,
    };
    for name in &FRAMING {
        if headers.remove(name).is_some() {
            diagnostics::header_dropped(name, "the server sets it");
        }
    }
    if let Some(upgrade) = upgrade {
        headers.insert(UPGRADE, upgrade);
        // A proxy must not forward `upgrade` (RFC 9110, section 7.8).
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// Makes a response to a `HEAD` request: the length of the body without the body.
pub(crate) fn without_body<T: Body, B: From<Bytes>>(response: Response<T>) -> Response<B> {
    let (head, body) = response.into_parts();
    let mut response = Response::from_parts(head, B::from(Bytes::new()));
    if !body.is_end_stream() {
        if let Some(length) = body.size_hint().exact() {
            let headers = response.headers_mut();
            headers
                .entry(CONTENT_LENGTH)
                .or_insert(HeaderValue::from(length));
        }
    }
    ignore_panic(|| drop(body));
    response
}

/// Makes the response for a failure that could not be rendered. It runs no user code.
pub(crate) fn fallback_response<B: From<Bytes>>(format: ResponseFormat) -> Response<B> {
    let mut response = empty_response();
    render_into(
        &mut response,
        &mut HttpException::new(StatusCode::INTERNAL_SERVER_ERROR),
        render_json,
        format,
        false,
    );
    response
}

/// Returns the HTTP exception for a WebSocket exception if the request did not become a WebSocket.
///
/// Starlette rejects a handshake with 403, the default. The detail is the reason, which is meant
/// for the client.
pub(crate) fn handshake_rejection(
    status: StatusCode,
    exception: &WebSocketException,
) -> HttpException {
    let rejection = HttpException::new(status);
    match exception.reason() {
        "" => rejection,
        reason => rejection.with_detail(reason.to_owned()),
    }
}

pub(crate) fn empty_response<B: From<Bytes>>() -> Response<B> {
    Response::new(B::from(Bytes::new()))
}

/// Drops an exception that was rendered, and contains a panic in the `Drop` of its source.
pub(crate) fn drop_contained(exception: HttpException) {
    match exception.origin() {
        Some(_) => ignore_panic(|| drop(exception)),
        None => drop(exception),
    }
}
