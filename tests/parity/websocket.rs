//! WebSocket clients: of tokio-tungstenite over HTTP/1.1, of hyper with frames of tokio-tungstenite
//! over HTTP/2.

use std::{collections::BTreeMap, fmt, net::SocketAddr};

use futures_util::{SinkExt, StreamExt};
use http::{Method, header::CONTENT_LENGTH};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        self, Message,
        handshake::client::Response,
        protocol::{
            Role,
            frame::{
                FrameSocket,
                coding::{Control, OpCode},
            },
        },
    },
};
use tokio_util::io::InspectReader;

use crate::{
    client::{BoxError, Client, Protocol, TIME_LIMIT},
    response::ComparedResponse,
};

/// The outcome of a request for a WebSocket.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum HandshakeOutcome {
    /// The handshake was completed, and later a close frame came.
    Closed(Closed),
    /// The handshake was refused with an HTTP response.
    Refused(ComparedResponse),
}

#[derive(Debug, PartialEq, Deserialize)]
pub struct Closed {
    echoed: Vec<String>,
    code: u16,
    reason: String,
}

impl HandshakeOutcome {
    /// Returns whether this is the expected outcome.
    pub fn matches(&self, expected: &Self) -> bool {
        match (self, expected) {
            (Self::Closed(closed), Self::Closed(expected)) => closed == expected,
            (Self::Refused(response), Self::Refused(expected)) => {
                response.matches(expected, &Method::GET)
            }
            _ => false,
        }
    }
}

impl fmt::Display for HandshakeOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(closed) => write!(f, "{closed:?}"),
            Self::Refused(response) => write!(f, "refused with {response}"),
        }
    }
}

pub enum WebSocketClient {
    /// Each WebSocket has a connection of its own.
    Http1(SocketAddr),
    /// Each WebSocket is a stream of this connection.
    Http2(Client),
}

impl WebSocketClient {
    pub async fn connect(protocol: Protocol, address: SocketAddr) -> Result<Self, BoxError> {
        match protocol {
            Protocol::Http1 => Ok(Self::Http1(address)),
            Protocol::Http2 => {
                let mut client = Client::connect(protocol, address).await?;
                // The server's settings, which allow an extended `CONNECT`, come before any
                // response.
                let none = BTreeMap::new();
                let response = client.send(Method::GET, "/only-get", &none, None);
                assert_eq!(response.await?.status, 200);
                Ok(Self::Http2(client))
            }
        }
    }

    /// Requests a WebSocket, sends these texts, and reads to the end.
    pub async fn converse(
        &mut self,
        path: &str,
        texts: &[String],
    ) -> Result<HandshakeOutcome, BoxError> {
        let conversation = async {
            match self {
                Self::Http1(address) => over_http1(*address, path, texts).await,
                Self::Http2(client) => over_http2(client, path, texts).await,
            }
        };
        timeout(TIME_LIMIT, conversation).await?
    }
}

async fn over_http1(
    address: SocketAddr,
    path: &str,
    texts: &[String],
) -> Result<HandshakeOutcome, BoxError> {
    let mut stream = TcpStream::connect(address).await?;
    let mut received = Vec::new();
    let inspected = InspectReader::new(&mut stream, |bytes: &[u8]| received.extend(bytes));
    match client_async(format!("ws://{address}{path}"), inspected).await {
        Ok((mut socket, _)) => {
            let echoed = talk(&mut socket, texts).await?;
            let head = received.windows(4).position(|end| end == b"\r\n\r\n");
            let frames = head.map_or(&received[..], |head| &received[head + 4..]);
            Closed::of(echoed, frames)
        }
        Err(tungstenite::Error::Http(response)) => {
            let response = rest_of(*response, &mut stream).await?;
            Ok(HandshakeOutcome::Refused(response))
        }
        Err(error) => Err(error.into()),
    }
}

/// Reads the rest of a refusal's body: tungstenite's client returns only the part that it has
/// buffered.
async fn rest_of(
    mut response: Response,
    stream: &mut TcpStream,
) -> Result<ComparedResponse, BoxError> {
    let mut body = response.body_mut().take().unwrap_or_default();
    let length = response.headers().get(CONTENT_LENGTH);
    let length: usize = length.ok_or("no content-length")?.to_str()?.parse()?;
    let rest = length.saturating_sub(body.len());
    stream.take(rest as u64).read_to_end(&mut body).await?;
    let body = String::from_utf8(body)?;
    let status = response.status().as_u16();
    Ok(ComparedResponse::new(status, response.headers(), body))
}

async fn over_http2(
    client: &mut Client,
    path: &str,
    texts: &[String],
) -> Result<HandshakeOutcome, BoxError> {
    let response = client.connect_websocket(path).await?;
    if response.status() != 200 {
        return Ok(HandshakeOutcome::Refused(
            ComparedResponse::of(response).await?,
        ));
    }
    let io = TokioIo::new(hyper::upgrade::on(response).await?);
    let mut received = Vec::new();
    let inspected = InspectReader::new(io, |bytes: &[u8]| received.extend(bytes));
    let mut socket = WebSocketStream::from_raw_socket(inspected, Role::Client, None).await;
    let echoed = talk(&mut socket, texts).await?;
    drop(socket);
    Closed::of(echoed, &received)
}

/// Sends these texts, and returns the received ones, up to a close frame and the end of the
/// connection.
async fn talk<S>(socket: &mut WebSocketStream<S>, texts: &[String]) -> Result<Vec<String>, BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for text in texts {
        socket.send(Message::text(text)).await?;
    }
    let mut echoed = Vec::new();
    loop {
        match socket.next().await.ok_or("no close frame")?? {
            Message::Text(text) => echoed.push(text.to_string()),
            Message::Close(_) => break,
            other => return Err(format!("neither a text nor a close frame: {other:?}").into()),
        }
    }
    // The reply to the close frame.
    socket.flush().await?;
    // Read from the connection itself: tungstenite treats a reset as an orderly end.
    socket.get_mut().read_to_end(&mut Vec::new()).await?;
    Ok(echoed)
}

impl Closed {
    /// Reads the close frame off `received`, which is all that the server has sent. tungstenite's
    /// client reports code 1014 as 1002.
    fn of(echoed: Vec<String>, received: &[u8]) -> Result<HandshakeOutcome, BoxError> {
        let mut frames = FrameSocket::new(received);
        let mut last = None;
        while let Some(frame) = frames.read(None)? {
            last = Some(frame);
        }
        let last = last.ok_or("no frame")?;
        if last.header().opcode != OpCode::Control(Control::Close) {
            return Err(format!("the last frame is no close frame: {last}").into());
        }
        let (code, reason) = last.payload().split_first_chunk().ok_or("no code")?;
        Ok(HandshakeOutcome::Closed(Self {
            echoed,
            code: u16::from_be_bytes(*code),
            reason: String::from_utf8(reason.to_vec())?,
        }))
    }
}
