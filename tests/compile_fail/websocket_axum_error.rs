//! A WebSocket's callback that is a closure and returns the error of the socket.

use axum::extract::ws::WebSocket;
use tower_exception::WebSocketHandle;

fn wrap(handle: WebSocketHandle) {
    let _ = handle.catch(async |mut socket: WebSocket| socket.send("hello".into()).await);
}

fn main() {}
