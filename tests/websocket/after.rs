//! Exceptions after the handshake.

use axum::{
    Router,
    extract::ws::{WebSocket, WebSocketUpgrade},
    routing::any,
};
use futures_util::SinkExt;
use tower::BoxError;
use tower_exception::{CloseCode, ExceptionLayer, UpgradeHandle, WebSocketException};

use crate::support::{closed_after, code, connect, serve};

fn no_swearing() -> WebSocketException {
    WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no swearing")
}

async fn echo_one(socket: &mut WebSocket) {
    let message = socket.recv().await.unwrap().unwrap();
    socket.send(message).await.unwrap();
}

#[tokio::test]
async fn whichever_way() {
    fn bare<F>(
        callback: impl Fn(WebSocket) -> F + Clone + Send + Sync + 'static,
    ) -> axum::routing::MethodRouter
    where
        F: Future<Output = ()> + Send + 'static,
    {
        any(move |upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(callback) })
    }
    fn caught<F>(
        callback: impl Fn(WebSocket) -> F + Clone + Send + Sync + 'static,
    ) -> axum::routing::MethodRouter
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        any(
            move |upgrade: WebSocketUpgrade, exceptions: UpgradeHandle| async move {
                upgrade.on_upgrade(exceptions.catch(callback))
            },
        )
    }
    let app = Router::new()
        .route(
            "/raised",
            bare(async |mut socket: WebSocket| {
                echo_one(&mut socket).await;
                no_swearing().raise()
            }),
        )
        .route(
            "/raised-async",
            bare(async |mut socket: WebSocket| {
                echo_one(&mut socket).await;
                no_swearing().raise_async().await
            }),
        )
        .route(
            "/caught/returned",
            caught(async |mut socket: WebSocket| {
                echo_one(&mut socket).await;
                Err(no_swearing().into())
            }),
        )
        .route(
            "/caught/raised",
            caught(async |mut socket: WebSocket| {
                echo_one(&mut socket).await;
                no_swearing().raise()
            }),
        )
        .route(
            "/caught/raised-async",
            caught(async |mut socket: WebSocket| {
                echo_one(&mut socket).await;
                no_swearing().raise_async().await
            }),
        )
        .layer(ExceptionLayer::new().with_upgrades());
    let address = serve(app).await;
    for path in [
        "/raised",
        "/raised-async",
        "/caught/returned",
        "/caught/raised",
        "/caught/raised-async",
    ] {
        let mut client = connect(address, path).await;
        client.send("hello".into()).await.unwrap();
        assert_eq!(
            closed_after(&mut client, &["hello"]).await,
            code(1008, "no swearing"),
            "{path}"
        );
    }
}
