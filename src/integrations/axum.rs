//! axum: exceptions and errors as responses, and the extractor of a WebSocket's handle.

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::StatusCode;
#[cfg(feature = "websocket")]
use {axum_core::extract::FromRequestParts, http::request::Parts};

#[cfg(feature = "websocket")]
use crate::websocket::WebSocketHandle;
use crate::{
    body::ExceptionBody,
    caught::{
        IntoFailure, Mechanism, Phase,
        failure::{Failure, FailureKind},
    },
    error::Error,
    exception::{Exception, HttpException, WebSocketException},
    exchange::unhandled_response,
    handler::{Declined, Reply, ReplyKind},
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

/// The response of the exception that the error was made of, or a plain 500 for any other error.
///
/// The error is attached to the response. A layer handles it by its type, or renders what it knows
/// of it. Without a layer the client learns nothing of the error.
///
/// ```
/// use axum::{Json, extract::rejection::JsonRejection};
/// use axum_extra::extract::WithRejection;
/// use tower_exception::{Caught, Error, ExceptionLayer, HttpException, Result};
///
/// async fn read() -> Result<String> {
///     Ok(tokio::fs::read_to_string("/etc/hostname").await?)
/// }
///
/// // The rejection of an extractor: handlers receive axum's type.
/// async fn order(WithRejection(Json(item), _): WithRejection<Json<u32>, Error>) -> String {
///     format!("item {item}")
/// }
///
/// let app: axum::Router = axum::Router::new()
///     .route("/", axum::routing::get(read).post(order))
///     .layer(ExceptionLayer::new().on(|rejection: Caught<JsonRejection>| {
///         HttpException::new(rejection.status()).with_detail(rejection.body_text())
///     }));
/// ```
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        failed_response(self.into_failure(Phase::Future))
    }
}

/// The response of an axum handler that returns a [`Reply`]. One that declines is a plain 500.
impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        match self.into_kind() {
            ReplyKind::Exception(exception) => exception.into_response(),
            ReplyKind::Failure(failure) => failed_response(*failure),
            ReplyKind::Response(response) | ReplyKind::Body(response) => {
                (*response).into_response()
            }
            ReplyKind::None => {
                let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
                response.extensions_mut().insert(Declined);
                response
            }
        }
    }
}

/// Returns the response that carries a failure to the layer.
fn failed_response(mut failure: Failure) -> Response {
    if failure.mechanism == Mechanism::Returned {
        failure.mechanism = Mechanism::Attached;
    }
    match failure.kind {
        FailureKind::Exception(exception) => exception.into_response(),
        FailureKind::Error(..) | FailureKind::Panic(_) => into_axum(unhandled_response(failure)),
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
