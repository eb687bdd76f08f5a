//! Servers and clients.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::Router;
use futures_util::StreamExt;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        self, Message, client::IntoClientRequest, handshake::client::Response, protocol::CloseFrame,
    },
};

pub type Client = WebSocketStream<TcpStream>;

/// What does not come in this time does not come.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Serves `app` over HTTP/1.1 and HTTP/2, for as long as the test runs.
pub async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = stream.set_nodelay(true);
            let app = TowerToHyperService::new(app.clone());
            tokio::spawn(async move {
                let mut builder = Builder::new(TokioExecutor::new());
                builder.http2().enable_connect_protocol();
                let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), app);
                let _ = served.await;
            });
        }
    });
    address
}

/// Opens a WebSocket over HTTP/1.1.
pub async fn connect(address: SocketAddr, path: &str) -> Client {
    try_connect(address, path, &[]).await.unwrap().0
}

/// Asks for a WebSocket over HTTP/1.1, with these headers beside those that it takes.
pub async fn try_connect(
    address: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> tungstenite::Result<(Client, Response)> {
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let connected = tokio::time::timeout(PATIENCE, client_async(request, stream));
    connected.await.expect("no answer to the handshake")
}

/// What the server closes with, after these messages. The client answers the close, and sees the connection end.
pub async fn closed_after<S>(client: &mut WebSocketStream<S>, messages: &[&str]) -> (u16, String)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut messages = messages.iter();
    let closed = async {
        let mut closed = None;
        loop {
            match client.next().await {
                Some(Ok(Message::Text(text))) => {
                    assert_eq!(text, *messages.next().expect("one more message"))
                }
                Some(Ok(Message::Close(frame))) => closed = Some(frame),
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(error)) => panic!("{error}"),
                None => return closed.expect("no close frame"),
            }
        }
    };
    let frame = tokio::time::timeout(PATIENCE, closed)
        .await
        .expect("not closed");
    assert_eq!(messages.next(), None);
    let CloseFrame { code, reason } = frame.expect("a close frame with a code");
    (code.into(), reason.to_string())
}

pub async fn closed<S>(client: &mut WebSocketStream<S>) -> (u16, String)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    closed_after(client, &[]).await
}

pub fn code(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}
