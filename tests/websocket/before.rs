//! Exceptions before the handshake is answered.

use axum::{Router, extract::WebSocketUpgrade, routing::any};
use tower_exception::{CloseCode, ExceptionLayer, HttpException, WebSocketException};

use crate::support::{closed, code, connect, serve, try_connect};

fn refusal() -> WebSocketException {
    WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no token")
}

#[tokio::test]
async fn returned_raised_and_raised_async() {
    let returned = |_: WebSocketUpgrade| async { Err::<(), _>(refusal()) };
    async fn raised(_: WebSocketUpgrade) -> () {
        refusal().raise()
    }
    let raised_async = |_: WebSocketUpgrade| async { refusal().raise_async::<()>().await };
    let app = Router::new()
        .route("/returned", any(returned))
        .route("/raised", any(raised))
        .route("/raised-async", any(raised_async))
        .layer(ExceptionLayer::new().with_upgrades());
    let address = serve(app).await;
    for path in ["/returned", "/raised", "/raised-async"] {
        let mut client = connect(address, path).await;
        assert_eq!(closed(&mut client).await, code(1008, "no token"), "{path}");
    }
}

#[tokio::test]
async fn an_http_exception_is_an_ordinary_response() {
    let unauthorized =
        |_: WebSocketUpgrade| async { Err::<(), _>(HttpException::unauthorized("who are you?")) };
    let app = Router::new()
        .route("/", any(unauthorized))
        .layer(ExceptionLayer::new().with_upgrades());
    let refused = try_connect(serve(app).await, "/", &[]).await.unwrap_err();
    let tokio_tungstenite::tungstenite::Error::Http(response) = refused else {
        panic!("{refused}");
    };
    assert_eq!(response.status(), 401);
}
