//! Servers and clients of WebSockets.

mod apps;
mod client;
mod faulty_io;
mod frames;
mod raw;

use std::{net::SocketAddr, time::Duration};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tower::{BoxError, Service};
use tower_exception::{
    CloseCode, ExceptionLayer, WebSocketException, WebSockets, config::Configured,
};

pub use self::{apps::*, client::*, faulty_io::*, frames::*, raw::*};
use super::Server;
pub use super::{PROTOCOLS, Protocol, Report, Reports, SECRET_TEXT, SecretError, observed, within};

/// A close timeout for clients that let it run out.
pub const SHORT_CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// The exception of most tests.
pub fn no_swearing() -> WebSocketException {
    WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no swearing")
}

/// Returns a layer for WebSockets that the test neither counts nor closes.
pub fn websocket_layer() -> ExceptionLayer<Configured> {
    layer_with(&WebSockets::new())
}

/// Returns a layer that tracks its connections in `websockets`.
pub fn layer_with(websockets: &WebSockets) -> ExceptionLayer<Configured> {
    ExceptionLayer::new().with_websockets(websockets.clone())
}

/// Serves `service` over HTTP/1.1 and HTTP/2, for as long as the runtime exists.
pub async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    Server::start(service).await.detach()
}

/// Waits until no connection is open.
pub async fn all_closed(websockets: &WebSockets) {
    within(async {
        while websockets.count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
