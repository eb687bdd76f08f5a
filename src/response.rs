//! From an exception to its response, by the rules that hold whatever the renderer.

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
};
use http_body::Body;

use crate::{
    Exception, How, HttpException, Place, WebSocketException,
    grpc::{self, Form},
    interrupt::quietly,
    log,
    render::{Rendered, json},
    thrown::{Thrown, What},
};

/// Headers that frame the message or belong to the connection (RFC 9110, sections 6.6.2, 7.6.1 and
/// 8.6; RFC 9112, section 6.1): the server's to set.
pub(crate) static FRAMING: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    CONTENT_LENGTH,
    UPGRADE,
];

/// Headers that say something of a body, and nothing without it.
pub(crate) static DESCRIBE_BODY: [HeaderName; 4] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    CONTENT_RANGE,
];

/// What an inner layer has caught and rendered by default, in the response's extensions, where it was no
/// exception: an outer layer may still handle it.
#[derive(Clone)]
pub(crate) struct Provisional(pub(crate) Thrown);

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
        let mut response = Response::new(B::from(Bytes::new()));
        let mut exception = exception;
        respond(
            &mut response,
            &mut exception,
            json::render,
            Form::Full,
            true,
        );
        response.extensions_mut().insert(exception);
        response
    }
}

/// The refusal that `exception` is to a request that did not become a WebSocket, with the exception attached.
///
/// ```
/// use http::Response;
/// use http_body_util::Full;
/// use tower_exception::{CloseCode, WebSocketException};
///
/// let exception = WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no token");
/// let response: Response<Full<bytes::Bytes>> = exception.into();
/// assert_eq!(response.status(), 403);
/// assert!(response.extensions().get::<WebSocketException>().is_some());
/// ```
impl<B: From<Bytes>> From<WebSocketException> for Response<B> {
    fn from(exception: WebSocketException) -> Self {
        let mut response = Response::new(B::from(Bytes::new()));
        respond(
            &mut response,
            &mut refusal(&exception),
            json::render,
            Form::Full,
            false,
        );
        response.extensions_mut().insert(exception);
        response
    }
}

/// The response that the exception of either kind is.
impl<B: From<Bytes>> From<Exception> for Response<B> {
    fn from(exception: Exception) -> Self {
        match exception {
            Exception::Http(exception) => exception.into(),
            Exception::WebSocket(exception) => exception.into(),
        }
    }
}

/// Makes `response` the one that `exception` is, in the form that the request asks for. The exception's headers
/// are moved there, unless it is to be kept.
pub(crate) fn respond<B: From<Bytes>>(
    response: &mut Response<B>,
    exception: &mut HttpException,
    render: impl FnOnce(&HttpException) -> Rendered,
    form: Form,
    keep: bool,
) {
    if exception.status().is_informational() {
        log::informational_status(exception.status());
        *exception = internal_server_error();
    }
    if let Form::Grpc(protocol) = form {
        return grpc::respond(response, exception, protocol);
    }
    *response.status_mut() = exception.status();
    let headers = if keep {
        exception.headers_if_any().cloned()
    } else {
        exception.take_headers()
    };
    if let Some(mut headers) = headers {
        drop_framing(&mut headers, exception.status());
        *response.headers_mut() = headers;
    }
    set_body(response, exception, render, form);
}

/// Renders `exception` in place of what `response` had for a body. What others have put in the head
/// since the first rendering stays, bar what describes the old body.
pub(crate) fn respond_anew<B: From<Bytes>>(
    response: &mut Response<B>,
    exception: &HttpException,
    render: impl FnOnce(&HttpException) -> Rendered,
    form: Form,
) {
    if let Form::Grpc(protocol) = form {
        return grpc::respond_anew(response, exception, protocol);
    }
    let headers = response.headers_mut();
    for name in &DESCRIBE_BODY {
        headers.remove(name);
    }
    // The exception's own are as good for this body as for the first one.
    for name in &DESCRIBE_BODY {
        if name != CONTENT_LENGTH {
            for value in exception.headers().get_all(name) {
                headers.append(name, value.clone());
            }
        }
    }
    set_body(response, exception, render, form);
}

/// Leaves `thrown` with the response that was made for it, for an outer layer to find.
pub(crate) fn attach<B>(response: &mut Response<B>, thrown: Thrown) {
    let extensions = response.extensions_mut();
    match thrown.what {
        What::Exception(Exception::Http(exception)) => drop(extensions.insert(exception)),
        What::Exception(Exception::WebSocket(exception)) => drop(extensions.insert(exception)),
        What::Error(..) | What::Panic(_) => drop(extensions.insert(Provisional(thrown))),
    }
}

/// Whether anything is attached to a response.
pub(crate) fn has_attached<B>(response: &Response<B>) -> bool {
    let extensions = response.extensions();
    !extensions.is_empty()
        && (extensions.get::<HttpException>().is_some()
            || extensions.get::<Provisional>().is_some()
            || extensions.get::<WebSocketException>().is_some()
            || has_tonic_status(extensions))
}

/// Takes what is attached to a response: by the response's maker an exception, by an inner layer whatever it
/// caught.
pub(crate) fn detach<B>(response: &mut Response<B>) -> Option<Thrown> {
    let extensions = response.extensions_mut();
    if let Some(Provisional(thrown)) = extensions.remove() {
        return Some(thrown);
    }
    let exception = if let Some(exception) = extensions.remove::<HttpException>() {
        Exception::Http(exception)
    } else if let Some(exception) = extensions.remove::<WebSocketException>() {
        Exception::WebSocket(exception)
    } else {
        return tonic_status(extensions);
    };
    Some(Thrown::exception(exception, How::Attached, Place::Future))
}

/// tonic leaves the status that a handler gave in the response's extensions.
#[cfg(feature = "tonic")]
fn has_tonic_status(extensions: &Extensions) -> bool {
    extensions.get::<tonic::Status>().is_some()
}

/// The status that tonic has left. Others may look for it further out.
#[cfg(feature = "tonic")]
fn tonic_status(extensions: &Extensions) -> Option<Thrown> {
    let status = extensions.get::<tonic::Status>()?.clone();
    Some(Thrown {
        how: How::Attached,
        ..Thrown::from_error(status, Place::Future)
    })
}

#[cfg(not(feature = "tonic"))]
fn has_tonic_status(_: &Extensions) -> bool {
    false
}

#[cfg(not(feature = "tonic"))]
fn tonic_status(_: &Extensions) -> Option<Thrown> {
    None
}

/// Sets the body, and the headers that describe it, by the response's status.
fn set_body<B: From<Bytes>>(
    response: &mut Response<B>,
    exception: &HttpException,
    render: impl FnOnce(&HttpException) -> Rendered,
    form: Form,
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
    if form == Form::Head {
        // The length of the body that a GET would have got (RFC 9110, section 9.3.2): the server
        // cannot see it from a body that is not sent.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    } else {
        *response.body_mut() = body.into();
    }
}

fn drop_framing(headers: &mut HeaderMap, status: StatusCode) {
    // A 426 has to say what to upgrade to (RFC 9110, section 15.5.22).
    let upgrade = match status {
        StatusCode::UPGRADE_REQUIRED => headers.remove(UPGRADE),
        _ => None,
    };
    for name in &FRAMING {
        if headers.remove(name).is_some() {
            log::header_dropped(name, "the server sets it");
        }
    }
    if let Some(upgrade) = upgrade {
        headers.insert(UPGRADE, upgrade);
        // So that the next proxy does not pass it on (RFC 9110, section 7.8).
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

pub(crate) fn internal_server_error() -> HttpException {
    HttpException::new(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A response to a `HEAD` request: the length of its body, and not the body.
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
    quietly(|| drop(body));
    response
}

/// Drops an exception that was answered. Its source is other people's, and its `Drop` may panic.
pub(crate) fn discard(exception: HttpException) {
    match exception.origin() {
        Some(_) => quietly(|| drop(exception)),
        None => drop(exception),
    }
}

/// The answer where none can be made. No code but this crate's has a part in it.
pub(crate) fn plain_500<B: From<Bytes>>(form: Form) -> Response<B> {
    let mut response = Response::new(B::from(Bytes::new()));
    respond(
        &mut response,
        &mut internal_server_error(),
        json::render,
        form,
        false,
    );
    response
}

/// The HTTP exception that anything is answered with which no handler answers.
pub(crate) fn into_http(exception: Option<Exception>) -> HttpException {
    match exception {
        Some(Exception::Http(exception)) => exception,
        Some(Exception::WebSocket(exception)) => refusal(&exception),
        None => internal_server_error(),
    }
}

/// What a WebSocket exception is to a request that did not become a WebSocket: the 403 that Starlette
/// refuses a handshake with, and for detail the reason, which is meant for the client.
pub(crate) fn refusal(exception: &WebSocketException) -> HttpException {
    refusal_with(StatusCode::FORBIDDEN, exception)
}

pub(crate) fn refusal_with(status: StatusCode, exception: &WebSocketException) -> HttpException {
    let refusal = HttpException::new(status);
    match exception.reason() {
        "" => refusal,
        reason => refusal.with_detail(reason.to_owned()),
    }
}
