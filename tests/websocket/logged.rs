//! Log events of WebSockets.

use axum::extract::ws::{Message, WebSocket};
use tower_exception::{Caught, HttpException, Panic, WebSockets};
use tracing::Level;

use crate::support::{
    log::{Log, LoggedEvent},
    websocket::*,
};

fn assert_logged(event: &LoggedEvent, level: Level, message: &str, close_code: Option<&str>) {
    assert_eq!(event.level, level);
    assert_eq!(event.get("message"), Some(message));
    assert_eq!(event.get("tower_exception.close_code"), close_code);
    assert_eq!(event.get("http.response.status_code"), None);
}

#[tokio::test]
async fn a_close_frame_is_logged_with_its_code() {
    let log = Log::start();
    let address = serve(failing(websocket_layer())).await;
    for path in BEFORE_AND_AFTER {
        closed(&mut connect(address, path).await).await;
    }
    let events = log.events();
    for event in &events {
        assert_logged(event, Level::DEBUG, "closed a WebSocket", Some("1008"));
        assert_eq!(event.get("exception.message"), Some("1008: no swearing"));
    }
    let phases: Vec<_> = events
        .iter()
        .map(|event| event.get("tower_exception.phase"))
        .collect();
    assert_eq!(phases, [Some("future"), Some("websocket")]);
}

#[tokio::test]
async fn a_panic_is_logged_as_an_error_whatever_the_code() {
    let sold_out = websocket_layer().on_panic(|_: Caught<Panic>| HttpException::gone("sold out"));
    for (layer, close_code) in [(websocket_layer(), "1011"), (sold_out, "4410")] {
        let log = Log::start();
        let panicking = bare(async |_| panic!("{SECRET_TEXT}"));
        let address = serve(app(panicking, layer)).await;
        closed(&mut connect(address, "/").await).await;
        assert_logged(
            &log.only_event(),
            Level::ERROR,
            "closed a WebSocket",
            Some(close_code),
        );
    }
}

#[tokio::test]
async fn a_failure_without_a_close_frame_is_logged() {
    async fn end(socket: &mut WebSocket) {
        socket.send(Message::Close(None)).await.unwrap();
    }
    let raising = bare(async |mut socket| {
        end(&mut socket).await;
        no_swearing().raise()
    });
    let panicking = bare(async |mut socket| {
        end(&mut socket).await;
        panic!("{SECRET_TEXT}")
    });
    for (route, level) in [(raising, Level::DEBUG), (panicking, Level::ERROR)] {
        let log = Log::start();
        let websockets = WebSockets::new();
        let layer = layer_with(&websockets);
        let address = serve(app(route, layer.clone())).await;
        let mut client = Raw::open(address, "/").await;
        client.send(&masked(CLOSE, &[])).await;
        assert_eq!(client.rest().await.unwrap(), frame(CLOSE, &[]));
        all_closed(&websockets).await;
        let message = "no close frame could be sent on a WebSocket";
        assert_logged(&log.only_event(), level, message, None);
    }
}
