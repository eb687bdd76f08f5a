//! Errors of the application's own types that are raised in the task of a WebSocket, of which the
//! layer sees only the connection.

use std::{error::Error, fmt};

use axum::{Router, extract::ws::WebSocket};
use tower_exception::{
    Caught, CloseCode, Raise, WebSocketException, WebSockets, catch, catch_sync,
};

use crate::support::websocket::*;

/// Error of a game, which knows nothing of WebSockets.
#[derive(Debug)]
struct Cheated {
    how: &'static str,
}

impl fmt::Display for Cheated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cheated")
    }
}

impl Error for Cheated {}

fn judge(how: &'static str) {
    Cheated { how }.raise()
}

fn app() -> (Router, Reports) {
    let layer = layer_with(&WebSockets::new()).on(|cheated: Caught<Cheated>| {
        WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason(cheated.how)
    });
    let (layer, reports) = observed(layer);
    let app = Router::new()
        .route(
            "/raised",
            bare(async |mut socket: WebSocket| {
                echo_one(&mut socket).await;
                judge("an ace up the sleeve");
            }),
        )
        .route(
            "/raised-async",
            bare(async |mut socket: WebSocket| {
                echo_one(&mut socket).await;
                Cheated {
                    how: "marked cards",
                }
                .raise_async()
                .await
            }),
        )
        .route(
            "/caught",
            bare(async |mut socket: WebSocket| {
                let caught = catch_sync(|| judge("a mirror")).unwrap_err();
                assert!(caught.is::<Cheated>());
                let caught = catch(async { judge("a mirror") }).await.unwrap_err();
                assert_eq!(caught.downcast::<Cheated>().unwrap().how, "a mirror");
                echo_one(&mut socket).await;
            }),
        )
        .layer(layer);
    (app, reports)
}

async fn reaches_its_handler() {
    let (app, mut reports) = app();
    let address = serve(app).await;
    for (path, expected) in [
        ("/raised", code(1008, "an ace up the sleeve")),
        ("/raised-async", code(1008, "marked cards")),
    ] {
        let mut client = connect(address, path).await;
        assert_eq!(closed_after_hello(&mut client).await, expected, "{path}");
        assert_eq!(
            reports.next().await,
            "Raised WebSocket Close(1008): cheated"
        );
    }
    let mut client = connect(address, "/caught").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1000, ""));
    reports.assert_none();
}

#[tokio::test]
async fn an_error_raised_in_a_bare_task_reaches_its_handler() {
    reaches_its_handler().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_raised_in_a_bare_task_reaches_its_handler_on_several_threads() {
    reaches_its_handler().await;
}

#[tokio::test]
async fn an_error_without_a_handler_closes_with_1011_and_no_reason() {
    let (layer, mut reports) = observed(websocket_layer());
    let route = bare(async |mut socket: WebSocket| {
        echo_one(&mut socket).await;
        judge("a second deck");
    });
    let mut client = connect(
        serve(crate::support::websocket::app(route, layer)).await,
        "/",
    )
    .await;
    assert_eq!(closed_after_hello(&mut client).await, code(1011, ""));
    assert_eq!(
        reports.next().await,
        "Raised WebSocket Close(1011): cheated"
    );
}
