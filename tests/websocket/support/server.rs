//! Servers, in axum and in plain hyper.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::{Ipv4Addr, SocketAddr},
};

use axum::{
    Router,
    extract::ws::{WebSocket, WebSocketUpgrade},
    routing::{MethodRouter, any},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::Empty;
use hyper::{body::Incoming, upgrade::Upgraded};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower::{BoxError, Service, service_fn, util::ServiceFn};
use tower_exception::{Custom, ExceptionLayer, UpgradeHandle};

use super::{no_swearing, panic_hook_runs};

/// Serves `service` over HTTP/1.1 and HTTP/2, for as long as the runtime is there.
pub async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    panic_hook_runs();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = stream.set_nodelay(true);
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let mut builder = Builder::new(TokioExecutor::new());
                builder.http2().enable_connect_protocol();
                let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                let _ = served.await;
            });
        }
    });
    address
}

/// An axum handler that leaves its WebSocket to `callback`, as axum has it.
pub fn bare<F, Fut>(callback: F) -> MethodRouter
where
    F: Fn(WebSocket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    any(move |upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(callback) })
}

/// The same, and what goes wrong in `callback` is caught by the handle.
pub fn caught<F, Fut>(callback: F) -> MethodRouter
where
    F: Fn(WebSocket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    any(
        move |upgrade: WebSocketUpgrade, exceptions: UpgradeHandle| async move {
            upgrade.on_upgrade(exceptions.catch(callback))
        },
    )
}

/// An app of one route, under `layer`.
pub fn app(route: MethodRouter, layer: ExceptionLayer<Custom>) -> Router {
    Router::new().route("/", route).layer(layer)
}

/// The two times at which [`failing`] fails.
pub const BEFORE_AND_AFTER: [&str; 2] = ["/before", "/after"];

/// An app that fails before the handshake is answered, and after it.
pub fn failing(layer: ExceptionLayer<Custom>) -> Router {
    let [before, after] = BEFORE_AND_AFTER;
    Router::new()
        .route(before, any(async || no_swearing()))
        .route(after, bare(async |_| no_swearing().raise()))
        .layer(layer)
}

/// Receives a message and sends it back.
pub async fn echo_one(socket: &mut WebSocket) {
    let message = socket.recv().await.unwrap().unwrap();
    socket.send(message).await.unwrap();
}

/// A connection as the server has it, in bytes.
pub type Bare = TokioIo<Upgraded>;

pub type Accepted = Result<Response<Empty<Bytes>>, Infallible>;

/// A service on hyper alone: it accepts every handshake, and leaves the connection to `callback`.
pub fn accepting<F, Fut>(
    callback: F,
) -> Accepting<impl Fn(Request<Incoming>) -> Ready<Accepted> + Clone>
where
    F: Fn(Bare) -> Fut + Clone + Send + 'static,
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

/// The same, and what goes wrong in `callback` is caught by the handle.
pub fn accepting_caught<F, Fut>(
    callback: F,
) -> Accepting<impl Fn(Request<Incoming>) -> Ready<Accepted> + Clone>
where
    F: Fn(Bare) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    service_fn(move |mut request| {
        let upgrade = hyper::upgrade::on(&mut request);
        let handle = UpgradeHandle::of(&request).unwrap();
        let callback = handle.catch(callback.clone());
        tokio::spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                callback(TokioIo::new(upgraded)).await;
            }
        });
        ready(Ok(accepted(&request)))
    })
}

pub type Accepting<F> = ServiceFn<F>;

/// The answer to a good handshake.
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
