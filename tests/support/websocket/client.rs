//! WebSocket clients over HTTP/1.1 and HTTP/2.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, Response};
use http_body_util::Empty;
use hyper::{body::Incoming, client::conn::http2, ext};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        handshake::client,
        protocol::{CloseFrame, Role},
    },
};

use super::Raw;
use crate::support::{Protocol, within};

/// A client over HTTP/1.1.
pub type WebSocketClient = WebSocketStream<TcpStream>;

/// A client over either version of HTTP.
pub type AnyClient = WebSocketStream<Box<dyn Io>>;

pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Opens a WebSocket over HTTP/1.1.
pub async fn connect(address: SocketAddr, path: &str) -> WebSocketClient {
    try_connect(address, path, &[]).await.unwrap().0
}

/// Requests a WebSocket over HTTP/1.1, with these headers in addition to the necessary ones.
pub async fn try_connect(
    address: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> tungstenite::Result<(WebSocketClient, client::Response)> {
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    within(client_async(request, stream)).await
}

/// Opens a WebSocket over either version of HTTP.
pub async fn connect_over(protocol: Protocol, address: SocketAddr, path: &str) -> AnyClient {
    let io: Box<dyn Io> = match protocol {
        Protocol::Http1 => Box::new(Raw::open(address, path).await.0),
        Protocol::Http2 => {
            let response = extended_connect(address, path, &[]).await;
            assert_eq!(response.status(), 200);
            let upgraded = within(hyper::upgrade::on(response)).await.unwrap();
            Box::new(TokioIo::new(upgraded))
        }
    };
    WebSocketStream::from_raw_socket(io, Role::Client, None).await
}

/// Requests a WebSocket over HTTP/2, by an extended `CONNECT` (RFC 8441, section 4).
pub async fn extended_connect(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> Response<Incoming> {
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://{address}{path}"))
        .extension(ext::Protocol::from_static("websocket"));
    if !headers
        .iter()
        .any(|(name, _)| *name == "sec-websocket-version")
    {
        request = request.header("sec-websocket-version", "13");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    // Frames that are written byte by byte would wait for the server's acknowledgement of each.
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    within(sender.send_request(request)).await.unwrap()
}

/// Sends a message, checks its echo, and returns the code and the reason of the close frame.
pub async fn closed_after_hello<S>(client: &mut WebSocketStream<S>) -> (u16, String)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    within(client.send("hello".into())).await.unwrap();
    closed_after(client, &["hello"]).await
}

/// Receives these messages and then a close frame, and returns its code and its reason.
///
/// The client replies to the close frame, and waits for the end of the connection.
pub async fn closed_after<S>(client: &mut WebSocketStream<S>, messages: &[&str]) -> (u16, String)
where
    S: AsyncRead + AsyncWrite + Unpin,
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
    let frame = within(closed).await;
    assert_eq!(messages.next(), None);
    let CloseFrame { code, reason } = frame.expect("a close frame with a code");
    (code.into(), reason.to_string())
}

/// Receives a close frame without a message before it, and returns its code and its reason.
pub async fn closed<S>(client: &mut WebSocketStream<S>) -> (u16, String)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    closed_after(client, &[]).await
}

/// Returns a code and a reason, to compare with a received close frame.
pub fn code(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}
