//! A WebSocket's callback that returns a boxed error.

use axum::extract::ws::WebSocket;
use tower::BoxError;
use tower_exception::WebSocketHandle;

async fn echo(mut socket: WebSocket) -> Result<(), BoxError> {
    while let Some(message) = socket.recv().await {
        socket.send(message?).await?;
    }
    Ok(())
}

fn wrap(handle: WebSocketHandle) {
    let _ = handle.catch(echo);
}

fn main() {}
