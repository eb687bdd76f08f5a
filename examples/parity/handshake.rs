//! WebSocket handshake in plain hyper, as axum's `WebSocketUpgrade` does it.

use std::future::Future;

use bytes::Bytes;
use http::{
    Request, Response, StatusCode, Version,
    header::{HeaderValue, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use http_body_util::Full;
use hyper::{body::Incoming, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::server::create_response_with_body, protocol::Role},
};
use tower_exception::{HttpException, WebSocketHandle};

pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Returns the layer's handle, which every request for a WebSocket has.
///
/// # Errors
///
/// Returns a 426 if the request is not for a WebSocket.
pub fn handle(request: &Request<Incoming>) -> Result<WebSocketHandle, HttpException> {
    WebSocketHandle::of(request).ok_or_else(|| {
        HttpException::new(StatusCode::UPGRADE_REQUIRED)
            .with_header(UPGRADE, HeaderValue::from_static("websocket"))
            .with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
    })
}

/// Answers the handshake, and passes the socket to `callback` in a task of its own.
///
/// # Errors
///
/// Returns a 400 if the request is not a proper handshake.
pub fn accept<F>(
    mut request: Request<Incoming>,
    callback: impl FnOnce(Socket) -> F + Send + 'static,
) -> Result<Response<Full<Bytes>>, HttpException>
where
    F: Future<Output = ()> + Send + 'static,
{
    let upgrade = hyper::upgrade::on(&mut request);
    let response = match request.version() {
        // An extended `CONNECT` (RFC 8441, section 5) has neither key nor accept key.
        Version::HTTP_2 => Response::new(Full::default()),
        _ => create_response_with_body(&request, Full::default)
            .map_err(|error| HttpException::bad_request(error.to_string()))?,
    };
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let io = TokioIo::new(upgraded);
                let socket = WebSocketStream::from_raw_socket(io, Role::Server, None);
                callback(socket.await).await;
            }
            Err(error) => eprintln!("upgrade: {error}"),
        }
    });
    Ok(response)
}
