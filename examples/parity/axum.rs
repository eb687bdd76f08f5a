//! App as an axum `Router`, with the layer around it.

use std::convert::Infallible;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{FromRequestParts, Request, WebSocketUpgrade, ws::Message},
    response::{IntoResponse, Response},
    routing::{any, any_service, get, get_service, post},
};
use http::{Uri, request::Parts};
use serde_json::{Value, json};
use tower::{BoxError, Service, ServiceBuilder};
use tower_exception::{
    Exception, ExceptionLayer, HttpException, WebSocketHandle, config::Configured,
};

use super::{
    shared::{User, Via, authenticate, base, derived, secret, wanted},
    websocket::{Session, denial, refusal},
};

pub fn app(layer: ExceptionLayer<Configured>) -> Router {
    routes().layer(layer)
}

fn routes() -> Router {
    Router::new()
        .route("/raise", post(raise))
        .route("/error", get_service(failing(|| secret().into())))
        .route("/base", get_service(failing(|| base().into())))
        .route("/derived", get_service(failing(|| derived().into())))
        .route("/only-get", get(only_get))
        .route("/dependency", get(dependency))
        .route("/ws/before", any(ws_before))
        .route("/ws/after", any(ws_after))
        .route("/ws/http-before", any(ws_http_before))
        .route("/ws/error-before", any_service(failing(|| secret().into())))
        .route("/ws/error-after", any(ws_error_after))
        .route("/ws/return", any(ws_return))
}

async fn raise(uri: Uri, body: Bytes) -> Result<Response, Exception> {
    fail(Via::of(&uri)?, wanted(&body)).await
}

async fn fail(via: Via, exception: impl Into<Exception>) -> Result<Response, Exception> {
    match via {
        Via::Attached => Ok(exception.into().into_response()),
        via => Err(via.raise_or_return(exception).await),
    }
}

/// Returns a service that fails. A `Router` accepts only infallible services, so this one has a
/// layer of its own, as it would with axum's `HandleErrorLayer`. The inner layer's default
/// rendering is provisional: the outer layer's handlers replace it.
fn failing(
    error: fn() -> BoxError,
) -> impl Service<Request, Response = impl IntoResponse, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .service_fn(move |_: Request| async move { Err::<Response, _>(error()) })
}

async fn only_get() -> Json<Value> {
    Json(json!({ "ok": true }))
}

async fn dependency(user: User) -> Response {
    match user {}
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = HttpException;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, HttpException> {
        authenticate()
    }
}

// The handle is extracted first, so that its 426 answers every request that is not for a WebSocket.
// axum's rejection would be another response.

async fn ws_before(
    _: WebSocketHandle,
    _: WebSocketUpgrade,
    uri: Uri,
) -> Result<Response, Exception> {
    fail(Via::of(&uri)?, refusal(&uri)?).await
}

async fn ws_http_before(
    _: WebSocketHandle,
    _: WebSocketUpgrade,
    uri: Uri,
) -> Result<Response, Exception> {
    fail(Via::of(&uri)?, denial(&uri)).await
}

async fn ws_after(
    exceptions: WebSocketHandle,
    upgrade: WebSocketUpgrade,
    uri: Uri,
) -> Result<Response, HttpException> {
    Ok(play(
        Session::of(&uri)?,
        Via::of(&uri)?,
        upgrade,
        exceptions,
    ))
}

async fn ws_error_after(
    exceptions: WebSocketHandle,
    upgrade: WebSocketUpgrade,
    uri: Uri,
) -> Result<Response, HttpException> {
    Ok(play(
        Session::failing(),
        Via::of(&uri)?,
        upgrade,
        exceptions,
    ))
}

fn play(
    session: Session,
    via: Via,
    upgrade: WebSocketUpgrade,
    exceptions: WebSocketHandle,
) -> Response {
    match via {
        Via::Raised => upgrade.on_upgrade(|socket| session.play_alone(socket, is_text)),
        via => upgrade.on_upgrade(exceptions.catch(|socket| session.play(via, socket, is_text))),
    }
}

fn is_text(message: &Message) -> bool {
    matches!(message, Message::Text(_))
}

async fn ws_return(_: WebSocketHandle, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |_| ())
}
