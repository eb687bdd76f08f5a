//! A client on a connection of its own.

use std::{net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};
use tower_exception::{
    bytes::Bytes,
    http::{HeaderMap, Request, header::HOST},
};

/// Time limit of one request: longer than any takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// A response that has ended: its status, its headers and its text.
pub type Received = (u16, HeaderMap, String);

/// Sends a `GET`.
///
/// # Errors
///
/// Fails if the connection is cut before the response or in its body.
pub async fn receive(address: SocketAddr, path: &str) -> hyper::Result<Received> {
    let exchange = async {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut sender, connection) = http1::handshake(stream).await?;
        tokio::spawn(connection);
        let request = Request::get(path).header(HOST, "test");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        let text = String::from_utf8(body.into()).unwrap();
        Ok((head.status.as_u16(), head.headers, text))
    };
    let received = timeout(LIMIT, exchange).await;
    received.expect("no response within 30 seconds")
}

/// Sends a `GET`, and returns the status and the text of the response.
///
/// # Panics
///
/// Panics if the connection is cut before the response or in its body.
pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let (status, _, text) = receive(address, path).await.unwrap();
    (status, text)
}
