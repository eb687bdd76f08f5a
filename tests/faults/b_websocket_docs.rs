//! The WebSocket of a task that is aborted, as the WebSocket guide describes it.

use std::time::Duration;

use axum::{
    Router,
    extract::ws::{WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};
use tower_exception::CloseCode;

use crate::support::websocket::*;

/// Waits for a message, in a task that ends after 20 ms.
async fn upgraded(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket: WebSocket| async move {
        let play = tokio::spawn(async move { while socket.recv().await.is_some() {} });
        tokio::time::sleep(Duration::from_millis(20)).await;
        play.abort();
    })
}

// B4
#[tokio::test]
async fn without_catch_the_task_of_an_aborted_websocket_closes_it_with_close_on_drop() {
    let default = websocket_layer();
    let websockets = tower_exception::WebSockets::new().close_on_drop(CloseCode::GOING_AWAY);
    let going_away = layer_with(&websockets);
    for (layer, expected) in [(default, code(1000, "")), (going_away, code(1001, ""))] {
        let app = Router::new().route("/", any(upgraded)).layer(layer);
        let mut client = connect(serve(app).await, "/").await;
        assert_eq!(closed(&mut client).await, expected);
    }
}
