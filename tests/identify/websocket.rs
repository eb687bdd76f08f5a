//! The id in the reason of a close frame.

use axum::{Router, routing::any};
use http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tower_exception::{
    Caught, CloseCode, ExceptionLayer, HttpException, Ids, WebSocketException, WebSockets,
    config::Configured,
};

use crate::{
    ID,
    support::{
        Server,
        log::Log,
        websocket::{bare, catching, closed, code},
    },
};

fn layer() -> ExceptionLayer<Configured> {
    let websockets = WebSockets::new().close_http_exceptions();
    ExceptionLayer::new()
        .with_websockets(websockets)
        .identify(Ids::request_id())
}

fn internal() -> WebSocketException {
    WebSocketException::new(CloseCode::INTERNAL_ERROR)
}

/// Returns a handshake that sends an id.
fn handshake(server: &Server) -> Request<()> {
    let url = format!("ws://{}/", server.address());
    let mut request = url.into_client_request().unwrap();
    let id = HeaderValue::from_static(ID);
    request.headers_mut().insert("x-request-id", id);
    request
}

/// Returns the close code and the reason that a client receives which sends an id.
async fn closed_with(app: Router) -> (u16, String) {
    let server = Server::start_axum(app).await;
    let (mut client, _) = tokio_tungstenite::connect_async(handshake(&server))
        .await
        .unwrap();
    closed(&mut client).await
}

#[tokio::test]
async fn a_1011_has_the_id_as_its_reason_and_the_log_too() {
    for (name, route) in [
        ("panic", bare(async |_| panic!("hunter2"))),
        (
            "error",
            catching(async |_| Err(std::io::Error::other("hunter2"))?),
        ),
        ("after", bare(async |_| internal().raise())),
        ("before", any(async || internal())),
    ] {
        let log = Log::start();
        let app = Router::new().route("/", route).layer(layer());
        assert_eq!(
            closed_with(app).await,
            code(1011, "error id: shop-7:4711"),
            "{name}"
        );
        let events = log.events();
        let ids: Vec<_> = events
            .iter()
            .map(|event| event.get("tower_exception.id"))
            .collect();
        assert_eq!(ids, [Some(ID)], "{name}: {events:?}");
    }
}

#[tokio::test]
async fn a_handler_that_replies_a_1011_sends_the_id() {
    let layer = layer().on_any(|_: Caught| internal());
    let app = Router::new()
        .route("/", bare(async |_| panic!("x")))
        .layer(layer);
    assert_eq!(closed_with(app).await, code(1011, "error id: shop-7:4711"));
}

/// Such a reason is the application's.
#[tokio::test]
async fn any_other_reason_stays() {
    let app = Router::new()
        .route("/", bare(async |_| internal().with_reason("busy").raise()))
        .layer(layer());
    assert_eq!(closed_with(app).await, code(1011, "busy"));
    let app = Router::new()
        .route(
            "/",
            bare(async |_| WebSocketException::new(CloseCode::POLICY_VIOLATION).raise()),
        )
        .layer(layer());
    assert_eq!(closed_with(app).await, code(1008, ""));
    let app = Router::new()
        .route("/", bare(async |_| HttpException::gone("sold out").raise()))
        .layer(layer());
    assert_eq!(closed_with(app).await, code(4410, "sold out"));
}

#[tokio::test]
async fn a_failure_before_the_handshake_is_a_response_with_the_id() {
    let app = Router::new()
        .route("/", any(async || -> () { panic!("hunter2") }))
        .layer(layer());
    let server = Server::start_axum(app).await;
    let error = tokio_tungstenite::connect_async(handshake(&server))
        .await
        .unwrap_err();
    let tokio_tungstenite::tungstenite::Error::Http(response) = error else {
        panic!("{error}");
    };
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["x-request-id"], ID);
}
