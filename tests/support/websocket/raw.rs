//! A client that sends and receives bytes.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::within;

/// A client that receives every byte.
pub struct Raw(pub TcpStream);

/// Key of the example in RFC 6455, section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// `Sec-WebSocket-Accept` for [`KEY`], from the same section.
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Returns a valid handshake with these additional header lines.
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

    /// Sends a request, and returns the head of the response.
    pub async fn ask(&mut self, request: &str) -> String {
        self.send(request.as_bytes()).await;
        self.head().await
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        within(self.0.write_all(bytes)).await.unwrap();
    }

    /// Receives the head of a response.
    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(self.0.read_u8()).await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    /// Receives `length` bytes.
    pub async fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        within(self.0.read_exact(&mut bytes)).await.unwrap();
        bytes
    }

    /// Receives all bytes up to the end of the connection.
    ///
    /// # Errors
    ///
    /// Fails if the connection is reset.
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

/// Returns the values of a header in the head of a response.
pub fn header<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}
