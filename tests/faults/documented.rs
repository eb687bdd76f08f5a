//! The WebSocket examples of the documentation, word for word. A test compares them.

use std::error::Error;

use axum::Router;
use tower::Service;

/// Example of the README.
#[rustfmt::skip]
pub fn readme() -> Router {
    // Begin of the example.
    use axum::{
        Router,
        extract::ws::{Message, WebSocket, WebSocketUpgrade},
        response::Response,
        routing::any,
    };
    use tower_exception::{
        CloseCode, ExceptionLayer, WebSocketException, WebSocketHandle, WebSockets,
    };

    async fn echo(
        upgrade: WebSocketUpgrade,
        exceptions: WebSocketHandle,
    ) -> Result<Response, WebSocketException> {
        // A browser that offers subprotocols fails the connection unless one of them is selected.
        let upgrade = upgrade.protocols(["chat"]);
        if upgrade.selected_protocol().is_none() {
            // The browser's `onclose` receives 1008 and this reason, instead of 1006 and no reason.
            return Err(WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no chat"));
        }
        Ok(upgrade.on_upgrade(exceptions.catch(|mut socket: WebSocket| async move {
            while let Some(message) = socket.recv().await {
                match message? {
                    // An error of your own closes with 1011, and so does a panic.
                    message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message).await?,
                    // axum itself answers pings and the client's close frame.
                    Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
                }
            }
            Ok(())
        })))
    }

    let websockets = WebSockets::new();
    let layer = ExceptionLayer::new().with_websockets(websockets.clone());
    let app: Router = Router::new().route("/echo", any(echo)).layer(layer);
    // When the server shuts down: `websockets.shut_down(exception).await`.
    // End of the example.
    app
}

/// Example of the WebSocket guide.
#[rustfmt::skip]
pub fn guide() -> Router {
    // Begin of the example.
    use std::collections::HashMap;

    use axum::{
        Router,
        extract::{Query, ws::{Message, WebSocket, WebSocketUpgrade}},
        response::Response,
        routing::any,
    };
    use tower_exception::{
        CloseCode, ExceptionLayer, WebSocketException, WebSocketHandle, WebSockets,
    };

    async fn chat(
        Query(query): Query<HashMap<String, String>>,
        upgrade: WebSocketUpgrade,
        exceptions: WebSocketHandle,
    ) -> Result<Response, WebSocketException> {
        if query.get("token").is_none_or(|token| token != "plumbus") {
            // Before the handshake: the browser's `onclose` gets 3000 and "who are you?".
            return Err(WebSocketException::new(CloseCode::UNAUTHORIZED).with_reason("who are you?"));
        }
        // A browser that offers subprotocols fails the connection unless one of them is selected.
        let upgrade = upgrade.protocols(["chat"]);
        Ok(upgrade.on_upgrade(exceptions.catch(|mut socket: WebSocket| async move {
            while let Some(message) = socket.recv().await {
                match message? {
                    Message::Text(text) if text.contains("dash it") => {
                        // After the handshake: 1008 and "no swearing".
                        return Err(WebSocketException::new(CloseCode::POLICY_VIOLATION)
                            .with_reason("no swearing")
                            .into());
                    }
                    Message::Text(text) => socket.send(Message::Text(text)).await?,
                    // axum itself answers pings and the client's close frame.
                    _ => {}
                }
            }
            Ok(())
        })))
    }

    let app: Router = Router::new()
        .route("/chat", any(chat))
        .layer(ExceptionLayer::new().with_websockets(WebSockets::new()));
    // End of the example.
    app
}

/// Example of `WebSocketHandle`.
#[rustfmt::skip]
pub fn handle() -> Router {
    // Begin of the example.
    use axum::{
        Router,
        extract::ws::{Message, WebSocket, WebSocketUpgrade},
        response::Response,
        routing::any,
    };
    use tower_exception::{
        CloseCode, ExceptionLayer, WebSocketException, WebSocketHandle, WebSockets,
    };

    async fn shout(upgrade: WebSocketUpgrade, handle: WebSocketHandle) -> Response {
        let upgrade = upgrade.protocols(["shout"]);
        upgrade.on_upgrade(handle.catch(|mut socket: WebSocket| async move {
            while let Some(message) = socket.recv().await {
                match message? {
                    Message::Text(text) => socket.send(text.to_uppercase().into()).await?,
                    Message::Binary(_) => {
                        return Err(WebSocketException::new(CloseCode::UNSUPPORTED_DATA)
                            .with_reason("text only")
                            .into());
                    }
                    // axum itself answers pings and the client's close frame.
                    Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
                }
            }
            Ok(())
        }))
    }

    let app: Router = Router::new()
        .route("/shout", any(shout))
        .layer(ExceptionLayer::new().with_websockets(WebSockets::new()));
    // End of the example.
    app
}

/// Example of `WebSocketHandle::catch`, in which a task owns one half of the socket.
#[rustfmt::skip]
pub fn halves() -> Router {
    // Begin of the example.
    use axum::{
        extract::ws::{Message, WebSocket, WebSocketUpgrade},
        response::Response,
    };
    use futures_util::{SinkExt, StreamExt, stream::SplitSink};
    use tower_exception::{CloseCode, WebSocketException, WebSocketHandle};

    async fn count(upgrade: WebSocketUpgrade, handle: WebSocketHandle) -> Response {
        let sending = handle.clone();
        upgrade.on_upgrade(handle.catch(async |socket: WebSocket| {
            let (sender, mut receiver) = socket.split();
            let send = sending.catch(async |mut sender: SplitSink<WebSocket, Message>| {
                for number in 0..10 {
                    sender.send(Message::text(number.to_string())).await?;
                }
                Ok(())
            });
            tokio::spawn(send(sender));
            while let Some(message) = receiver.next().await {
                if let Message::Text(_) = message? {
                    WebSocketException::new(CloseCode::POLICY_VIOLATION).raise_async().await
                }
            }
            Ok(())
        }))
    }
    // End of the example.
    Router::new()
        .route("/count", axum::routing::any(count))
        .layer(tower_exception::ExceptionLayer::new().with_websockets(tower_exception::WebSockets::new()))
}

/// Example of `ExceptionLayer::with_websockets`.
#[rustfmt::skip]
pub fn layer() -> Router {
    // Begin of the example.
    use axum::{Router, extract::ws::WebSocketUpgrade, response::Response, routing::any};
    use tower_exception::{CloseCode, ExceptionLayer, WebSocketException, WebSockets};

    async fn before(_: WebSocketUpgrade) -> Response {
        WebSocketException::new(CloseCode::UNAUTHORIZED).with_reason("who are you?").raise()
    }

    async fn after(upgrade: WebSocketUpgrade) -> Response {
        upgrade.on_upgrade(async |_socket| {
            WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no swearing").raise()
        })
    }

    let app: Router = Router::new()
        .route("/before", any(before))
        .route("/after", any(after))
        .layer(ExceptionLayer::new().with_websockets(WebSockets::new()));
    // End of the example.
    app
}

/// Example of `WebSocketHandle::of`.
#[rustfmt::skip]
pub fn of() -> impl Service<
    http::Request<hyper::body::Incoming>,
    Response = http::Response<http_body_util::Empty<bytes::Bytes>>,
    Error = Box<dyn Error + Send + Sync>,
    Future: Send,
> + Clone + Send {
    // Begin of the example.
    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Empty;
    use hyper::{body::Incoming, upgrade::Upgraded};
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncWriteExt;
    use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
    use tower::BoxError;
    use tower_exception::{HttpException, WebSocketHandle};

    async fn hello(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, BoxError> {
        let Some(handle) = WebSocketHandle::of(&request) else {
            return Err(HttpException::bad_request("only for WebSockets").into());
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let callback = handle.catch(async |upgraded: Upgraded| {
            TokioIo::new(upgraded).write_all(b"\x81\x05hello").await?;
            Ok(())
        });
        tokio::spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                callback(upgraded).await;
            }
        });
        Ok(create_response_with_body(&request, Empty::new)?)
    }
    // End of the example.
    tower::service_fn(hello)
}
