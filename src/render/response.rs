//! From an exception to its response: the rules that hold for every renderer.

use bytes::Bytes;
use http::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE},
};

use super::{Content, IntoParts, framing::drop_framing, json_length, render_json_with_id};
use crate::{
    caught::{Mechanism, failure::Failure},
    diagnostics,
    exception::{Detail, Exception, HttpException, WebSocketException},
    format::ResponseFormat,
    grpc,
    headers::{FRAMING, describes_body, remove_representation, set},
};

/// Has `render` render the exception that stands for `failure`, to which no handler has replied.
///
/// `rejection` replaces the 403 for a WebSocket exception.
#[inline]
pub(crate) fn render_failure<B>(
    response: &mut Response<B>,
    failure: &mut Failure,
    rejection: Option<HttpException>,
    format: ResponseFormat,
    render: impl FnOnce(&mut Response<B>, &mut HttpException),
) {
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
}

/// Renders `exception` into `response`, which is empty, in the format of the request. The
/// exception's headers are moved there unless `keep_headers`.
pub(crate) fn render_into<B: From<Bytes>, R: IntoParts>(
    response: &mut Response<B>,
    exception: &mut HttpException,
    render: impl FnOnce(&HttpException) -> R,
    format: ResponseFormat,
    keep_headers: bool,
) {
    replace_informational(exception);
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

/// Sets the status of a response that was rendered for another exception, and adds the headers of
/// `exception`.
fn set_head<B>(response: &mut Response<B>, exception: &mut HttpException) {
    replace_informational(exception);
    *response.status_mut() = exception.status();
    let Some(mut added) = exception.headers_if_any().cloned() else {
        return;
    };
    drop_framing(&mut added, exception.status());
    for (name, value) in &added {
        // A full map is full.
        let _ = response.headers_mut().try_append(name, value.clone());
    }
}

/// Replaces an exception with an informational status, which cannot end an exchange.
fn replace_informational(exception: &mut HttpException) {
    if exception.status().is_informational() {
        diagnostics::informational_status(exception.status());
        *exception = HttpException::new(StatusCode::INTERNAL_SERVER_ERROR);
    }
}

/// Renders `exception` in place of the body that `response` had. The head stays, except for the
/// headers that describe the old body. If `is_unhandled`, the head is not that of `exception` yet.
pub(crate) fn rerender_into<B: From<Bytes>, R: IntoParts>(
    response: &mut Response<B>,
    exception: &mut HttpException,
    render: impl FnOnce(&HttpException) -> R,
    format: ResponseFormat,
    is_unhandled: bool,
) {
    if is_unhandled {
        set_head(response, exception);
    }
    if let ResponseFormat::Grpc(content_type) = format {
        return grpc::rerender_into(response, exception, content_type);
    }
    let status = response.status();
    let headers = response.headers_mut();
    remove_representation(headers, status);
    let has_range = headers.contains_key(CONTENT_RANGE);
    // The exception's own headers describe the new body as they described the first one.
    for (name, value) in exception.headers() {
        let is_there = has_range && name == CONTENT_RANGE;
        if describes_body(name) && !FRAMING.contains(name) && !is_there {
            // There were as many headers before.
            let _ = headers.try_append(name, value.clone());
        }
    }
    set_body(response, exception, render, format);
}

/// Sets the body, and the headers that describe it, for the response's status.
fn set_body<B: From<Bytes>, R: IntoParts>(
    response: &mut Response<B>,
    exception: &HttpException,
    render: impl FnOnce(&HttpException) -> R,
    format: ResponseFormat,
) {
    let status = response.status();
    if is_without_body(status, exception) {
        let headers = response.headers_mut();
        headers.remove(CONTENT_TYPE);
        if !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            set(headers, CONTENT_LENGTH, 0);
        }
        return;
    }
    let (Content { content_type, body }, added) = render(exception).into_parts();
    let headers = response.headers_mut();
    if headers.is_empty() || !headers.contains_key(CONTENT_TYPE) {
        set(headers, CONTENT_TYPE, content_type);
    }
    if let Some(added) = added {
        append_of_renderer(headers, *added, status);
    }
    match format {
        // The length of the body that a `GET` would receive (RFC 9110, section 9.3.2). The server
        // cannot derive it from a body that is not sent.
        ResponseFormat::Head => set(headers, CONTENT_LENGTH, body.len()),
        ResponseFormat::HeadOfUnknownLength => {}
        ResponseFormat::Http | ResponseFormat::Grpc(_) => *response.body_mut() = body.into(),
    }
}

/// Appends the headers of a renderer. A line that is there already comes from a rendering that this
/// one replaces, such as an inner layer's `vary`.
#[cold]
fn append_of_renderer(headers: &mut HeaderMap, mut added: HeaderMap, status: StatusCode) {
    drop_framing(&mut added, status);
    for (name, value) in &added {
        if !headers.get_all(name).iter().any(|line| line == value) {
            // A full map is full.
            let _ = headers.try_append(name, value.clone());
        }
    }
}

/// Returns whether the response has no body: with a 204, 205 and 304 (RFC 9110, sections 15.3.5,
/// 15.3.6 and 15.4.5), and with another redirection unless the exception has a detail.
///
/// A client that follows a redirection shows no body. Its status alone says nothing to a reader.
fn is_without_body(status: StatusCode, exception: &HttpException) -> bool {
    let is_redirection = status.is_redirection() && matches!(exception.detail(), Detail::Canonical);
    is_redirection
        || matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        )
}

/// Returns the length of the body of an exception's conversion into a response, or `None` if it has
/// no body.
pub(crate) fn converted_length(exception: &HttpException) -> Option<u64> {
    (!is_without_body(exception.status(), exception)).then(|| json_length(exception))
}

/// Makes the response for a failure that could not be rendered. It runs no user code.
pub(crate) fn fallback_response<B: From<Bytes>>(
    format: ResponseFormat,
    id: Option<&str>,
) -> Response<B> {
    let mut response = empty_response();
    render_into(
        &mut response,
        &mut HttpException::new(StatusCode::INTERNAL_SERVER_ERROR),
        |exception| render_json_with_id(exception, id),
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
