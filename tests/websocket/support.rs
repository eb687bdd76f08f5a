//! Servers and clients.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    extract::ws::{WebSocket, WebSocketUpgrade},
    routing::{MethodRouter, any},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::Empty;
use hyper::{body::Incoming, client::conn::http2, ext, upgrade::Upgraded};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        handshake::{client, derive_accept_key},
        protocol::{CloseFrame, Role},
    },
};
use tower::{BoxError, Service, service_fn};
use tower_exception::{
    Answer, Caught, CloseCode, Custom, ExceptionLayer, UpgradeHandle, WebSocketException,
};

pub use crate::common::{PROTOCOLS, Protocol, SECRET_TEXT, SecretError, panic_hook_runs, within};

pub type Client = WebSocketStream<TcpStream>;

/// A client over either version of HTTP.
pub type AnyClient = WebSocketStream<Box<dyn Io>>;

pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// What does not come in this time does not come.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The exception of most tests.
pub fn no_swearing() -> WebSocketException {
    WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no swearing")
}

pub fn upgrades() -> ExceptionLayer<Custom> {
    ExceptionLayer::new().with_upgrades()
}

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

pub type Accepting<F> = tower::util::ServiceFn<F>;

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

/// What observers are told: `Raised Upgraded Close(1008): 1008: no swearing`.
pub struct Told(mpsc::UnboundedReceiver<String>);

/// The layer, observed.
pub fn observed(layer: ExceptionLayer<Custom>) -> (ExceptionLayer<Custom>, Told) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let layer = layer.observe(move |caught: &Caught, answer: Answer| {
        let (how, place) = (caught.how(), caught.place());
        let _ = sender.send(format!("{how:?} {place:?} {answer:?}: {caught}"));
    });
    (layer, Told(receiver))
}

impl Told {
    pub async fn next(&mut self) -> String {
        within(self.0.recv()).await.expect("the layer is there")
    }

    /// All that they were told so far, and not taken yet.
    pub fn all(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }

    pub fn assert_nothing_else(&mut self) {
        assert_eq!(self.all(), [""; 0]);
    }
}

/// Waits until no connection of the layer is left.
pub async fn all_closed(layer: &ExceptionLayer<Custom>) {
    within(async {
        while layer.upgrades().count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
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
) -> tungstenite::Result<(Client, client::Response)> {
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

/// Asks for a WebSocket over HTTP/2.
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
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    within(sender.send_request(request)).await.unwrap()
}

/// Says hello, has it echoed, and gives what the server closes with then.
pub async fn closed_after_hello<S>(client: &mut WebSocketStream<S>) -> (u16, String)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    within(client.send("hello".into())).await.unwrap();
    closed_after(client, &["hello"]).await
}

/// What the server closes with, after these messages. The client answers the close, and sees the connection end.
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
    let frame = tokio::time::timeout(PATIENCE, closed)
        .await
        .expect("not closed");
    assert_eq!(messages.next(), None);
    let CloseFrame { code, reason } = frame.expect("a close frame with a code");
    (code.into(), reason.to_string())
}

pub async fn closed<S>(client: &mut WebSocketStream<S>) -> (u16, String)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    closed_after(client, &[]).await
}

pub fn code(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

/// A client that sees every byte.
pub struct Raw(pub TcpStream);

/// The key of the example in RFC 6455, section 1.3, and what it is accepted with.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A good handshake, with these header lines more.
pub fn handshake(path: &str, lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n{lines}\r\n"
    )
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Opens a WebSocket.
    pub async fn open(address: SocketAddr, path: &str) -> Self {
        let mut client = Self::connect(address).await;
        let head = client.ask(&handshake(path, &[])).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(header(&head, "sec-websocket-accept"), [ACCEPT]);
        client
    }

    /// Sends a request, and gives the head of the response.
    pub async fn ask(&mut self, request: &str) -> String {
        self.send(request.as_bytes()).await;
        self.head().await
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        within(self.0.write_all(bytes)).await.unwrap();
    }

    /// The head of a response, in lower case but for the values.
    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(self.0.read_u8()).await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    pub async fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        within(self.0.read_exact(&mut bytes)).await.unwrap();
        bytes
    }

    /// All that comes, to the end of the connection; an error where it is reset.
    pub async fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        within(self.0.read_to_end(&mut bytes)).await?;
        Ok(bytes)
    }

    /// Closes the connection by a reset.
    pub fn reset(self) {
        self.0.set_zero_linger().unwrap();
    }
}

/// The values of a header, in the head of a response.
pub fn header<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

/// The bytes of a frame as a server sends it.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, u8::try_from(payload.len()).unwrap()];
    assert!(payload.len() < 126);
    frame.extend(payload);
    frame
}

/// The bytes of a frame as a client sends it.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut bytes = frame(first, &[]);
    bytes[1] = 0x80 | u8::try_from(payload.len()).unwrap();
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    bytes
}

/// What a close frame holds.
pub fn closing(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

pub const TEXT: u8 = 0x81;
pub const CLOSE: u8 = 0x88;

/// The bytes of a server's close frame.
pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    frame(CLOSE, &closing(code, reason))
}

/// The bytes of a client's.
pub fn masked_close(code: u16) -> Vec<u8> {
    masked(CLOSE, &closing(code, ""))
}
