//! A client on one connection, over HTTP/1.1 or HTTP/2.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, Response, header::HOST};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{Received, within};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

pub const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

/// One connection. The client never reconnects: a request on a closed connection fails.
pub enum Client {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    /// Connects to `address`.
    pub async fn connect(protocol: Protocol, address: SocketAddr) -> Self {
        within(async {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let stream = TokioIo::new(stream);
            match protocol {
                Protocol::Http1 => {
                    let (sender, connection) = http1::handshake(stream).await.unwrap();
                    tokio::spawn(connection);
                    Self::Http1(sender)
                }
                Protocol::Http2 => {
                    let executor = TokioExecutor::new();
                    let (sender, connection) = http2::handshake(executor, stream).await.unwrap();
                    tokio::spawn(connection);
                    Self::Http2(sender)
                }
            }
        })
        .await
    }

    /// Sends a request, and waits for the head of the response.
    pub async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        within(async {
            match self {
                Self::Http1(sender) => {
                    let host = "test".parse().unwrap();
                    request.headers_mut().insert(HOST, host);
                    sender.ready().await?;
                    sender.send_request(request).await
                }
                Self::Http2(sender) => {
                    let uri = format!("http://test{}", request.uri());
                    *request.uri_mut() = uri.parse().unwrap();
                    sender.ready().await?;
                    sender.send_request(request).await
                }
            }
        })
        .await
    }

    /// Sends a request, and waits for the end of the response.
    ///
    /// # Errors
    ///
    /// Fails if there is no response, or if the body of the response is aborted.
    pub async fn exchange(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Received> {
        let response = self.send(request).await?;
        match Received::read(response).await {
            (received, None) => Ok(received),
            (_, Some(error)) => Err(error),
        }
    }

    /// Sends a request without a body, and returns the response in one line, or the error.
    pub async fn ask(&mut self, method: Method, path: &str) -> String {
        match self.exchange(request(method, path)).await {
            Ok(received) => received.to_string(),
            Err(error) => format!("{error:?}"),
        }
    }

    /// Sends a `GET`, and returns the response in one line, or the error.
    pub async fn get(&mut self, path: &str) -> String {
        self.ask(Method::GET, path).await
    }
}

/// Returns a request without a body.
pub fn request(method: Method, path: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path);
    request.body(Full::default()).unwrap()
}
