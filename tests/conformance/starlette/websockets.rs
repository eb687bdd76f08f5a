//! Starlette's and FastAPI's tests of exceptions on WebSockets, before and after the handshake.

use axum::{
    Router,
    extract::{
        Path,
        ws::{WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::{MethodRouter, any},
};
use http::StatusCode;
use tokio_tungstenite::tungstenite;
use tower_exception::{
    Caught, CloseCode, ExceptionLayer, HttpException, WebSocketException, WebSocketHandle,
    WebSockets, config::Configured,
};

use super::{EXITS, RuntimeError, failing, leave, plain_text};
use crate::support::websocket::*;

/// An error of the application's, with a handler.
#[derive(Debug, thiserror::Error)]
#[error("custom")]
struct CustomError;

fn layer() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().with_websockets(WebSockets::new())
}

/// Returns a handler that accepts the handshake and then fails. Its path has the exit as `{exit}`.
fn accepting<E>(error: fn() -> E) -> MethodRouter
where
    E: std::error::Error + Send + Sync + 'static,
{
    let handler = async move |Path(exit): Path<String>,
                              upgrade: WebSocketUpgrade,
                              handle: WebSocketHandle| {
        upgrade.on_upgrade(handle.catch(async move |_: WebSocket| {
            leave(&exit, error()).await?;
            Ok(())
        }))
    };
    any(handler)
}

/// Asserts that a WebSocket on a path below each exit is closed with this code and reason.
async fn assert_closed(app: Router, path: &str, expected: (u16, String)) {
    let address = serve(app).await;
    for protocol in PROTOCOLS {
        for exit in EXITS {
            let path = format!("/{exit}{path}");
            let mut client = connect_over(protocol, address, &path).await;
            assert_eq!(closed(&mut client).await, expected, "{path} {protocol:?}");
        }
    }
}

/// Asserts that the handshake on a path below each exit gets this response.
async fn assert_denied(app: Router, path: &str, status: u16, body: &str) {
    let address = serve(app).await;
    for exit in EXITS {
        let path = format!("/{exit}{path}");
        let (status_got, body_got) = denied(address, &path).await;
        assert_eq!((status_got.as_u16(), &*body_got), (status, body), "{path}");
    }
}

/// Returns the response to a handshake that is not accepted.
async fn denied(address: std::net::SocketAddr, path: &str) -> (StatusCode, String) {
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake(path, &[])).await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = header(&head, "content-length")[0].parse().unwrap();
    let body = String::from_utf8(client.take(length).await).unwrap();
    (status, body)
}

const DEFAULT_500: &str = r#"{"detail":"Internal Server Error"}"#;

/// Before the handshake, an error is an HTTP response: ASGI's servers do the same.
#[tokio::test]
async fn test_websockets_should_raise() {
    let app = Router::new().route("/{exit}/runtime_error", failing(|| RuntimeError));
    assert_denied(app.layer(layer()), "/runtime_error", 500, DEFAULT_500).await;
}

/// An error after the handshake, which FastAPI's servers send as 1011 too.
#[tokio::test]
async fn test_websocket_dependency_after_yield_broken() {
    let app = Router::new().route("/{exit}/ws-broken", accepting(|| RuntimeError));
    assert_closed(app.layer(layer()), "/ws-broken", code(1011, "")).await;
}

#[tokio::test]
async fn test_websocket_raise_websocket_exception() {
    let unsupported = || WebSocketException::new(CloseCode::UNSUPPORTED_DATA);
    let app = Router::new().route("/{exit}/ws", accepting(unsupported));
    assert_closed(app.layer(layer()), "/ws", code(1003, "")).await;
}

/// `test_rejected_connection` of Starlette: the code reaches the client, and no bare 403.
#[tokio::test]
async fn test_rejected_connection() {
    let going_away = || WebSocketException::new(CloseCode::GOING_AWAY);
    let app = Router::new().route("/{exit}/ws", failing(going_away));
    assert_closed(app.layer(layer()), "/ws", code(1001, "")).await;
}

#[tokio::test]
async fn test_websocket_raise_http_exception() {
    let unauthorized = || HttpException::unauthorized("Unauthorized");
    let app = Router::new().route("/{exit}/ws", failing(unauthorized));
    let json = r#"{"detail":"Unauthorized"}"#;
    assert_denied(app.layer(layer()), "/ws", 401, json).await;
}

/// After the handshake, an HTTP exception has the code 4000 plus its status.
#[tokio::test]
async fn test_websocket_raise_http_exception_after_accept() {
    let unauthorized = || HttpException::unauthorized("Unauthorized");
    let app = Router::new().route("/{exit}/ws", accepting(unauthorized));
    assert_closed(app.layer(layer()), "/ws", code(4401, "Unauthorized")).await;
}

#[tokio::test]
async fn test_send_denial_response() {
    let app = Router::new().route("/{exit}/ws", failing(|| HttpException::not_found("foo")));
    assert_denied(app.layer(layer().on(plain_text)), "/ws", 404, "foo").await;
}

/// A handler by type closes the WebSocket after the handshake, sync and async.
#[tokio::test]
async fn test_websocket_raise_custom_exception() {
    let again = || WebSocketException::new(CloseCode::TRY_AGAIN_LATER);
    for layer in [
        layer().on(move |_: Caught<CustomError>| again()),
        layer().on(move |_: Caught<CustomError>| async move { again() }),
    ] {
        let app = Router::new().route("/{exit}/ws", accepting(|| CustomError));
        assert_closed(app.layer(layer), "/ws", code(1013, "")).await;
    }
}

/// A handler by type closes the WebSocket before the handshake.
#[tokio::test]
async fn test_depend_err_handler() {
    let layer = layer().on(|_: Caught<CustomError>| {
        WebSocketException::new(CloseCode::PROTOCOL_ERROR).with_reason("foo")
    });
    let app = Router::new().route("/{exit}/custom_error", failing(|| CustomError));
    assert_closed(app.layer(layer), "/custom_error", code(1002, "foo")).await;
}

/// A fault of the request closes with 1008 if a handler says so. By default it is an HTTP response.
#[tokio::test]
async fn test_depend_validation() {
    #[derive(serde::Deserialize)]
    struct Params {
        #[serde(rename = "x_missing")]
        _missing: String,
    }
    type Query = axum::extract::Query<Params>;
    type Rejection = axum::extract::rejection::QueryRejection;
    let validating = any(
        async |query: Result<Query, Rejection>| -> tower_exception::Result<Response> {
            query?;
            unreachable!("a query")
        },
    );
    let app = Router::new().route("/", validating);
    let policy = || WebSocketException::new(CloseCode::POLICY_VIOLATION);
    let handling = layer().on(move |_: Caught<Rejection>| policy());
    let address = serve(app.clone().layer(handling)).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1008, ""));
    let address = serve(app.layer(layer())).await;
    let (status, _) = denied(address, "/").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// FastAPI's code for it is 1000, which no client can see before a handshake.
#[tokio::test]
async fn test_wrong_uri() {
    let app = Router::new().route("/", any(async || ()));
    let address = serve(app.layer(layer())).await;
    let error = try_connect(address, "/no-router/", &[]).await.unwrap_err();
    match error {
        tungstenite::Error::Http(response) => assert_eq!(response.status(), 404),
        other => panic!("{other:?}"),
    }
}

#[test]
fn test_websocket_str() {
    let exception = || WebSocketException::new(CloseCode::POLICY_VIOLATION);
    // Starlette's text of it ends in a colon and a space.
    assert_eq!(exception().to_string(), "1008");
    let violated = exception().with_reason("Policy Violation");
    assert_eq!(violated.to_string(), "1008: Policy Violation");
}

/// The code that `test_depend_err_middleware` sends.
#[test]
fn no_code_that_may_not_be_sent() {
    assert!(CloseCode::from_u16(1006).is_err());
}
