//! A WebSocket's handshake in plain hyper: what `WebSocketUpgrade` does in axum.

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
use tower_exception::{HttpException, UpgradeHandle};

pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The layer's handle, which is there wherever a WebSocket is asked for.
pub fn handle(request: &Request<Incoming>) -> Result<UpgradeHandle, HttpException> {
    UpgradeHandle::of(request).ok_or_else(|| {
        HttpException::new(StatusCode::UPGRADE_REQUIRED)
            .with_header(UPGRADE, HeaderValue::from_static("websocket"))
            .with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
    })
}

/// Answers the handshake, and gives the socket to `callback` in a task of its own.
pub fn accept<F>(
    mut request: Request<Incoming>,
    callback: impl FnOnce(Socket) -> F + Send + 'static,
) -> Result<Response<Full<Bytes>>, HttpException>
where
    F: Future<Output = ()> + Send + 'static,
{
    let upgrade = hyper::upgrade::on(&mut request);
    let response = match request.version() {
        // An extended `CONNECT` has neither key nor accept key.
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
