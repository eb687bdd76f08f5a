//! Services that accept WebSockets, in axum and in plain hyper.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use axum::{
    Router,
    extract::ws::{WebSocket, WebSocketUpgrade},
    routing::{MethodRouter, any},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::Empty;
use hyper::{body::Incoming, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower::{BoxError, service_fn, util::ServiceFn};
use tower_exception::{ExceptionLayer, WebSocketHandle, config::Configured};

use super::no_swearing;

/// Returns an axum handler that hands its WebSocket to `callback`, as plain axum does.
pub fn bare<F, Fut>(callback: F) -> MethodRouter
where
    F: Fn(WebSocket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    any(move |upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(callback) })
}

/// Returns an axum handler that hands its WebSocket to `callback`, whose failures the
/// [`WebSocketHandle`] catches.
pub fn catching<F, Fut>(callback: F) -> MethodRouter
where
    F: Fn(WebSocket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = tower_exception::Result<()>> + Send + 'static,
{
    any(
        move |upgrade: WebSocketUpgrade, exceptions: WebSocketHandle| async move {
            upgrade.on_upgrade(exceptions.catch(callback))
        },
    )
}

/// Returns an app of one route, under `layer`.
pub fn app(route: MethodRouter, layer: ExceptionLayer<Configured>) -> Router {
    Router::new().route("/", route).layer(layer)
}

/// Paths of [`failing`]: it fails before the handshake is answered, and after it.
pub const BEFORE_AND_AFTER: [&str; 2] = ["/before", "/after"];

/// Returns an app that fails before the handshake is answered, and after it.
pub fn failing(layer: ExceptionLayer<Configured>) -> Router {
    let [before, after] = BEFORE_AND_AFTER;
    Router::new()
        .route(before, any(async || no_swearing()))
        .route(after, bare(async |_| no_swearing().raise()))
        .layer(layer)
}

/// Receives one message and sends it back.
pub async fn echo_one(socket: &mut WebSocket) {
    let message = socket.recv().await.unwrap().unwrap();
    socket.send(message).await.unwrap();
}

/// A connection on the side of the server, in bytes.
pub type ServerIo = TokioIo<Upgraded>;

/// Response of a service that accepts a handshake.
pub type Accepted = Result<Response<Empty<Bytes>>, Infallible>;

/// Returns a service without a framework: it accepts every handshake, and hands the connection to
/// `callback`.
pub fn accepting<F, Fut>(
    callback: F,
) -> ServiceFn<impl Fn(Request<Incoming>) -> Ready<Accepted> + Clone>
where
    F: Fn(ServerIo) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    service_fn(move |mut request| {
        let upgrade = hyper::upgrade::on(&mut request);
        let callback = callback.clone();
        tokio::spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                callback(TokioIo::new(upgraded)).await;
            }
        });
        ready(Ok(accepted(&request)))
    })
}

/// Returns a service without a framework: it accepts every handshake, and hands the connection to
/// `callback`, whose failures the [`WebSocketHandle`] catches.
pub fn accepting_and_catching<F, Fut>(
    callback: F,
) -> ServiceFn<impl Fn(Request<Incoming>) -> Ready<Accepted> + Clone>
where
    F: Fn(ServerIo) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = tower_exception::Result<()>> + Send + 'static,
{
    service_fn(move |mut request| {
        let upgrade = hyper::upgrade::on(&mut request);
        let handle = WebSocketHandle::of(&request).unwrap();
        let callback = handle.catch(callback.clone());
        tokio::spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                callback(TokioIo::new(upgraded)).await;
            }
        });
        ready(Ok(accepted(&request)))
    })
}

/// Returns the response to a valid handshake.
pub fn accepted<B>(request: &Request<B>) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    if request.version() == Version::HTTP_11 {
        let accept = derive_accept_key(request.headers()["sec-websocket-key"].as_bytes());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert("connection", "upgrade".parse().unwrap());
        headers.insert("upgrade", "websocket".parse().unwrap());
        headers.insert("sec-websocket-accept", accept.parse().unwrap());
    }
    response
}
