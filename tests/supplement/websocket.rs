//! The reason of a close frame, which is the detail.

use axum::{Router, routing::any};
use tower_exception::{ExceptionLayer, WebSockets};

use crate::{
    supplemented,
    support::{
        Server,
        websocket::{app, bare, catching, closed, code, connect, websocket_layer},
    },
};

#[tokio::test]
async fn the_reason_of_a_close_frame_is_the_detail() {
    let closing = ExceptionLayer::new().with_websockets(WebSockets::new().close_http_exceptions());
    for app in [
        app(bare(async |_| supplemented().raise()), websocket_layer()),
        app(
            catching(async |_| Err(supplemented().into())),
            websocket_layer(),
        ),
        Router::new()
            .route("/", any(async || Err::<(), _>(supplemented())))
            .layer(closing),
    ] {
        let server = Server::start_axum(app).await;
        let mut client = connect(server.address(), "/").await;
        let expected = code(4409, "plumbus 7 is sold out");
        assert_eq!(closed(&mut client).await, expected);
    }
}
