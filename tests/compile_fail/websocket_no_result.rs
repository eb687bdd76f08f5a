//! A WebSocket's callback that returns no result.

use axum::extract::ws::WebSocket;
use tower_exception::WebSocketHandle;

fn wrap(handle: WebSocketHandle) {
    let _ = handle.catch(async |mut socket: WebSocket| {
        let _ = socket.send("hello".into()).await;
    });
}

fn main() {}
