//! An HTTP client on one connection, from hyper, which reports every error.

use std::{collections::BTreeMap, error::Error, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{
    Method, Request, Response,
    header::{CONTENT_TYPE, HOST},
};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, time::timeout};

use crate::response::ComparedResponse;

pub type BoxError = Box<dyn Error + Send + Sync>;
type Body = Full<Bytes>;

/// Time limit of one exchange.
pub const TIME_LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug)]
pub enum Protocol {
    Http1,
    Http2,
}

pub struct Client {
    address: SocketAddr,
    connection: Connection,
}

enum Connection {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Client {
    pub async fn connect(protocol: Protocol, address: SocketAddr) -> Result<Self, BoxError> {
        let stream = TcpStream::connect(address).await?;
        // Otherwise the body of an HTTP/2 request waits for the server's acknowledgement of the
        // head.
        stream.set_nodelay(true)?;
        let io = TokioIo::new(stream);
        let connection = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                Connection::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Connection::Http2(sender)
            }
        };
        Ok(Self {
            address,
            connection,
        })
    }

    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &BTreeMap<String, String>,
        json: Option<&str>,
    ) -> Result<ComparedResponse, BoxError> {
        let request = self.request(method, path, headers, json)?;
        timeout(TIME_LIMIT, async {
            let response = self.connection.send(request).await?;
            ComparedResponse::of(response).await
        })
        .await?
    }

    /// Requests a WebSocket over HTTP/2, by an extended `CONNECT` (RFC 8441, section 4).
    pub async fn connect_websocket(&mut self, path: &str) -> Result<Response<Incoming>, BoxError> {
        let headers = BTreeMap::from([("sec-websocket-version".to_owned(), "13".to_owned())]);
        let mut request = self.request(Method::CONNECT, path, &headers, None)?;
        let websocket = hyper::ext::Protocol::from_static("websocket");
        request.extensions_mut().insert(websocket);
        Ok(self.connection.send(request).await?)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: &BTreeMap<String, String>,
        json: Option<&str>,
    ) -> Result<Request<Body>, http::Error> {
        let mut request = match self.connection {
            Connection::Http1(_) => Request::builder()
                .uri(path)
                .header(HOST, self.address.to_string()),
            // In HTTP/2 the scheme and the authority are separate fields.
            Connection::Http2(_) => {
                Request::builder().uri(format!("http://{}{path}", self.address))
            }
        };
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.method(method);
        match json {
            Some(json) => request
                .header(CONTENT_TYPE, "application/json")
                .body(Body::from(json.to_owned())),
            None => request.body(Body::default()),
        }
    }
}

impl Connection {
    async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}
