//! From an exception to its response: the rules that hold for every renderer.

use std::{borrow::Cow, sync::LazyLock};

use bytes::Bytes;
use http::{Response, StatusCode, header::CONTENT_RANGE};

use super::{
    IntoParts,
    content::{fill, is_without_body, render_content, set_body},
    framing::drop_framing,
    json_length, render_json_with_id,
};
use crate::{
    caught::{Mechanism, failure::Failure},
    diagnostics,
    exception::{Exception, HttpException, WebSocketException},
    format::ResponseFormat,
    grpc,
    headers::{FRAMING, describes_body, remove_representation},
};

/// Returns the exception to render for `failure`, to which no handler has replied.
///
/// `rejection` replaces the 403 for a WebSocket exception.
#[inline]
fn exception_to_render(
    failure: &Failure,
    rejection: Option<HttpException>,
    format: ResponseFormat,
) -> Cow<'_, HttpException> {
    let exception = match (failure.known_exception(), failure.as_exception()) {
        (Some(known), _) => Cow::Owned(known),
        (None, Some(Exception::Http(exception))) => Cow::Borrowed(exception),
        (None, Some(Exception::WebSocket(exception))) => {
            let forbidden = || handshake_rejection(StatusCode::FORBIDDEN, exception);
            Cow::Owned(rejection.unwrap_or_else(forbidden))
        }
        (None, None) => Cow::Borrowed(internal_server_error()),
    };
    match format {
        ResponseFormat::Grpc(_) if failure.mechanism == Mechanism::Adopted => {
            Cow::Owned(grpc::no_such_method(exception.into_owned()))
        }
        _ => exception,
    }
}

/// Returns the exception that stands for an unknown error and for a panic.
fn internal_server_error() -> &'static HttpException {
    static EXCEPTION: LazyLock<HttpException> =
        LazyLock::new(|| HttpException::new(StatusCode::INTERNAL_SERVER_ERROR));
    &EXCEPTION
}

/// Renders the exception that stands for a failure into `response`, which is empty. The exception's
/// headers are moved there unless `keep_headers`.
///
/// `render` receives the exception with its headers.
#[inline]
pub(crate) fn render_failure<B: From<Bytes>, F: AsRef<Failure> + AsMut<Failure>, R: IntoParts>(
    response: &mut Response<B>,
    failure: &mut F,
    rejection: Option<HttpException>,
    render: impl FnOnce(&HttpException, &F) -> R,
    format: ResponseFormat,
    keep_headers: bool,
) {
    let mut exception = exception_to_render((*failure).as_ref(), rejection, format);
    if is_replaced(&exception) {
        exception = Cow::Borrowed(internal_server_error());
    }
    if let ResponseFormat::Grpc(content_type) = format {
        return grpc::render_into(response, &exception, content_type);
    }
    let status = exception.status();
    let content = render_content(&exception, status, |exception| render(exception, failure));
    let headers = match exception {
        Cow::Owned(mut exception) => exception.take_headers(),
        Cow::Borrowed(exception) => match exception.headers_if_any() {
            None => None,
            Some(headers) if keep_headers => Some(headers.clone()),
            Some(_) => failure.as_mut().take_headers(),
        },
    };
    fill(response, status, headers, content, format);
}

/// Renders the exception that stands for a failure in place of the body that `response` had, as
/// [`rerender_into`] does.
pub(crate) fn rerender_failure<B: From<Bytes>, R: IntoParts>(
    response: &mut Response<B>,
    failure: &Failure,
    rejection: Option<HttpException>,
    render: impl FnOnce(&HttpException) -> R,
    format: ResponseFormat,
    is_unhandled: bool,
) {
    let exception = exception_to_render(failure, rejection, format);
    rerender_into(response, &exception, render, format, is_unhandled);
}

/// Renders `exception` into `response`, which is empty, in the format of the request.
pub(crate) fn render_into<B: From<Bytes>, R: IntoParts>(
    response: &mut Response<B>,
    exception: &HttpException,
    render: impl FnOnce(&HttpException) -> R,
    format: ResponseFormat,
) {
    let exception = match is_replaced(exception) {
        true => internal_server_error(),
        false => exception,
    };
    if let ResponseFormat::Grpc(content_type) = format {
        return grpc::render_into(response, exception, content_type);
    }
    let status = exception.status();
    let content = render_content(exception, status, render);
    fill(
        response,
        status,
        exception.headers_if_any().cloned(),
        content,
        format,
    );
}

/// Renders `exception` as [`render_into`] does, and moves its headers.
pub(crate) fn render_reply_into<B: From<Bytes>, R: IntoParts>(
    response: &mut Response<B>,
    exception: &mut HttpException,
    render: impl FnOnce(&HttpException) -> R,
    format: ResponseFormat,
) {
    let status = exception.status();
    if status.is_informational() || matches!(format, ResponseFormat::Grpc(_)) {
        return render_into(response, exception, render, format);
    }
    let content = render_content(exception, status, render);
    fill(response, status, exception.take_headers(), content, format);
}

/// Returns whether a plain 500 replaces an exception, because an informational status cannot end an
/// exchange.
pub(super) fn is_replaced(exception: &HttpException) -> bool {
    let is_informational = exception.status().is_informational();
    if is_informational {
        diagnostics::informational_status(exception.status());
    }
    is_informational
}

/// Renders `exception` in place of the body that `response` had. The head stays, except for the
/// headers that describe the old body. If `is_unhandled`, the head is not that of `exception` yet.
fn rerender_into<B: From<Bytes>, R: IntoParts>(
    response: &mut Response<B>,
    mut exception: &HttpException,
    render: impl FnOnce(&HttpException) -> R,
    format: ResponseFormat,
    is_unhandled: bool,
) {
    if is_unhandled {
        if is_replaced(exception) {
            exception = internal_server_error();
        }
        set_head(response, exception);
    }
    if let ResponseFormat::Grpc(content_type) = format {
        return grpc::rerender_into(response, exception, content_type);
    }
    let status = response.status();
    let content = render_content(exception, status, render);
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
    set_body(response, content, format);
}

/// Sets the status of a response that was rendered for another exception, and adds the headers of
/// `exception`.
fn set_head<B>(response: &mut Response<B>, exception: &HttpException) {
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
    let render = |exception: &_| render_json_with_id(exception, id);
    render_into(&mut response, internal_server_error(), render, format);
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
