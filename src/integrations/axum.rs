//! axum: exceptions as responses, and the extractor of a WebSocket's handle.

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
#[cfg(feature = "websocket")]
use {axum_core::extract::FromRequestParts, http::request::Parts};

#[cfg(feature = "websocket")]
use crate::websocket::WebSocketHandle;
use crate::{
    body::ExceptionBody,
    exception::{Exception, HttpException, WebSocketException},
};

/// The exception in its default rendering, attached to the response, as
/// [`Response::from`](http::Response#impl-From<HttpException>-for-Response<B>) does it.
///
/// So a handler may return `Result<T, HttpException>`, with and without an
/// [`ExceptionLayer`](crate::ExceptionLayer) around it.
///
/// ```
/// use axum::{Json, extract::Path};
/// use tower_exception::HttpException;
///
/// async fn item(Path(id): Path<u32>) -> Result<Json<&'static str>, HttpException> {
///     match id {
///         1 => Ok(Json("plumbus")),
///         _ => Err(HttpException::not_found("Item not found")),
///     }
/// }
///
/// let app: axum::Router = axum::Router::new().route("/items/{id}", axum::routing::get(item));
/// ```
impl IntoResponse for HttpException {
    fn into_response(self) -> Response {
        into_axum(self.into())
    }
}

/// The rejection of a request that did not become a WebSocket, 403, with the exception attached.
impl IntoResponse for WebSocketException {
    fn into_response(self) -> Response {
        into_axum(self.into())
    }
}

/// The response for the exception that it holds.
impl IntoResponse for Exception {
    fn into_response(self) -> Response {
        into_axum(self.into())
    }
}

/// Extracts the handle of a request that asks for a WebSocket.
///
/// # Errors
///
/// Rejects a request that cannot become a WebSocket with 426.
///
/// Rejects any other request without a handle with 500: the server lacks a layer with
/// [`with_websockets`](crate::ExceptionLayer::with_websockets).
#[cfg(feature = "websocket")]
impl<S: Sync> FromRequestParts<S> for WebSocketHandle {
    type Rejection = HttpException;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpException> {
        match parts.extensions.get() {
            Some(handle) => Ok(Self::clone(handle)),
            None => Err(WebSocketHandle::missing(parts)),
        }
    }
}

fn into_axum(response: http::Response<Bytes>) -> Response {
    response.map(|bytes| Body::new(ExceptionBody::<Body>::from(bytes)))
}
