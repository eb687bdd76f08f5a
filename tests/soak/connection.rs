//! A client's connection, which closes at once when it is dropped.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{
    Method, Request, StatusCode,
    header::{CONNECTION, UPGRADE},
};
use http_body_util::Full;
use hyper::{
    client::conn::{http1, http2},
    ext,
    rt::Executor,
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
use tower::BoxError;

use crate::support::{Client, Protocol, Received, websocket::KEY, within};

/// A connection. Its tasks are aborted when it is dropped, so that its socket closes at once.
pub struct Connection {
    pub client: Client,
    tasks: Tasks,
}

/// A client's side of a WebSocket.
pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

impl Connection {
    pub async fn open(protocol: Protocol, stream: TcpStream) -> Result<Self, BoxError> {
        stream.set_nodelay(true)?;
        let stream = TokioIo::new(stream);
        let tasks = Tasks::default();
        let client = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = within(http1::handshake(stream)).await?;
                tasks.execute(connection.with_upgrades());
                Client::Http1(sender)
            }
            Protocol::Http2 => {
                let handshake = http2::handshake(tasks.clone(), stream);
                let (sender, connection) = within(handshake).await?;
                tasks.execute(connection);
                Client::Http2(sender)
            }
        };
        Ok(Self { client, tasks })
    }

    /// Requests a WebSocket. Returns the response if the server rejects the handshake.
    pub async fn websocket(&mut self, path: &str) -> Result<Result<Socket, Received>, BoxError> {
        let request = Request::builder()
            .uri(path)
            .header("sec-websocket-version", "13");
        let request = match self.client {
            Client::Http1(_) => request
                .method(Method::GET)
                .header(CONNECTION, "upgrade")
                .header(UPGRADE, "websocket")
                .header("sec-websocket-key", KEY),
            Client::Http2(_) => request
                .method(Method::CONNECT)
                .extension(ext::Protocol::from_static("websocket")),
        };
        let request = request.body(Full::<Bytes>::default())?;
        let response = self.client.send(request).await?;
        let is_accepted = [StatusCode::SWITCHING_PROTOCOLS, StatusCode::OK];
        if !is_accepted.contains(&response.status()) {
            return Ok(Err(Received::read(response).await.0));
        }
        let io = TokioIo::new(within(hyper::upgrade::on(response)).await?);
        Ok(Ok(
            WebSocketStream::from_raw_socket(io, Role::Client, None).await
        ))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.with(JoinSet::abort_all);
    }
}

/// The tasks of a connection.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    fn with<T>(&self, f: impl FnOnce(&mut JoinSet<()>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
{
    fn execute(&self, future: F) {
        self.with(|tasks| {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async {
                // A connection that the server aborts ends with an error.
                let _ = future.await;
            });
        });
    }
}
