use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
#[cfg(feature = "websocket")]
use {axum_core::extract::FromRequestParts, http::request::Parts};

#[cfg(feature = "websocket")]
use crate::UpgradeHandle;
use crate::{Exception, ExceptionBody, HttpException, WebSocketException};

/// The response of [`Response::from`](http::Response#impl-From<HttpException>-for-Response<B>): rendered, with the exception
/// attached. So a handler may return `Result<T, HttpException>`, with and without an
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

/// A refusal, with the exception attached: to a request that did not become a WebSocket it is a 403.
impl IntoResponse for WebSocketException {
    fn into_response(self) -> Response {
        into_axum(self.into())
    }
}

impl IntoResponse for Exception {
    fn into_response(self) -> Response {
        into_axum(self.into())
    }
}

/// The handle of a request that asks for a WebSocket.
///
/// # Errors
///
/// A request that cannot become a WebSocket is answered with 426. One that can, but has no handle, is under no
/// layer [`with_upgrades`](crate::ExceptionLayer::with_upgrades): that is a bug of the server's, and a 500.
#[cfg(feature = "websocket")]
impl<S: Sync> FromRequestParts<S> for UpgradeHandle {
    type Rejection = HttpException;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpException> {
        match parts.extensions.get() {
            Some(handle) => Ok(Self::clone(handle)),
            None => Err(UpgradeHandle::missing(parts)),
        }
    }
}

fn into_axum(response: http::Response<Bytes>) -> Response {
    response.map(|bytes| Body::new(ExceptionBody::<Body>::from(bytes)))
}
