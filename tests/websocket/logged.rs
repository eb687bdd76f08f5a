//! What is logged of WebSockets.

use axum::extract::ws::{Message, WebSocket};
use tower_exception::{Caught, HttpException, Panic};
use tracing::Level;

use crate::{
    log::{Line, Log},
    support::*,
};

fn assert_logged(line: &Line, level: Level, message: &str, close_code: Option<&str>) {
    assert_eq!(line.level, level);
    assert_eq!(line.get("message"), Some(message));
    assert_eq!(line.get("close_code"), close_code);
    assert_eq!(line.get("status"), None);
}

#[tokio::test]
async fn a_close_frame_has_its_code() {
    let log = Log::start();
    let address = serve(failing(upgrades())).await;
    for path in BEFORE_AND_AFTER {
        closed(&mut connect(address, path).await).await;
    }
    let lines = log.lines();
    for line in &lines {
        assert_logged(line, Level::DEBUG, "closed a WebSocket", Some("1008"));
        assert_eq!(line.get("error"), Some("1008: no swearing"));
    }
    let places: Vec<_> = lines.iter().map(|line| line.get("place")).collect();
    assert_eq!(places, [Some("Future"), Some("Upgraded")]);
}

#[tokio::test]
async fn a_panic_is_an_error_whatever_it_is_closed_with() {
    let sold_out = upgrades().on_panic(|_: Caught<Panic>| HttpException::gone("sold out"));
    for (layer, close_code) in [(upgrades(), "1011"), (sold_out, "4410")] {
        let log = Log::start();
        let panicking = bare(async |_| panic!("{SECRET_TEXT}"));
        let address = serve(app(panicking, layer)).await;
        closed(&mut connect(address, "/").await).await;
        assert_logged(
            &log.line(),
            Level::ERROR,
            "closed a WebSocket",
            Some(close_code),
        );
    }
}

#[tokio::test]
async fn what_no_close_frame_tells_of() {
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
        let layer = upgrades();
        let address = serve(app(route, layer.clone())).await;
        let mut client = Raw::open(address, "/").await;
        client.send(&masked(CLOSE, &[])).await;
        assert_eq!(client.rest().await.unwrap(), frame(CLOSE, &[]));
        all_closed(&layer).await;
        let message = "a WebSocket could take no close frame";
        assert_logged(&log.line(), level, message, None);
    }
}
