//! Clients and frames in bytes.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::within;

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

    /// The head of a response.
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

/// More bytes of messages, as a client sends them, than the sockets hold.
pub fn megabytes() -> Vec<u8> {
    let message = masked(TEXT, &[b'x'; 125]);
    message.repeat((8 << 20) / message.len())
}
