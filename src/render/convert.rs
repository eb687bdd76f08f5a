//! Exceptions as responses that carry them.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{
    render_json,
    response::{empty_response, handshake_rejection, is_replaced, render_into},
};
use crate::{
    exception::{Exception, HttpException, WebSocketException},
    format::ResponseFormat,
};

/// The response for the exception in its default rendering, with the exception attached.
///
/// The exception is attached in the response's extensions. An
/// [`ExceptionLayer`](crate::ExceptionLayer) further out finds it there and may render it again.
/// Without a layer the client receives this response.
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
        let exception = match is_replaced(&exception) {
            true => HttpException::new(StatusCode::INTERNAL_SERVER_ERROR),
            false => exception,
        };
        let mut response = rendered(&exception);
        response.extensions_mut().insert(exception);
        response
    }
}

/// The rejection of a request that did not become a WebSocket, with the exception attached.
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
        let rejection = handshake_rejection(StatusCode::FORBIDDEN, &exception);
        let mut response = rendered(&rejection);
        response.extensions_mut().insert(exception);
        response
    }
}

/// Returns the default rendering of `exception`.
fn rendered<B: From<Bytes>>(exception: &HttpException) -> Response<B> {
    let mut response = empty_response();
    render_into(&mut response, exception, render_json, ResponseFormat::Http);
    response
}

/// The response for the exception that it holds.
impl<B: From<Bytes>> From<Exception> for Response<B> {
    fn from(exception: Exception) -> Self {
        match exception {
            Exception::Http(exception) => exception.into(),
            Exception::WebSocket(exception) => exception.into(),
        }
    }
}
