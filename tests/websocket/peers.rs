//! Behaviour of clients whose WebSocket is closed by an exception, before and after the handshake.

use std::time::Duration;

use axum::{Router, routing::any};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::Layer;
use tower_exception::WebSockets;

use crate::support::websocket::*;

/// Returns every combination of protocol and path of [`failing`].
fn every_combination() -> impl Iterator<Item = (Protocol, &'static str)> {
    PROTOCOLS
        .into_iter()
        .flat_map(|protocol| BEFORE_AND_AFTER.map(|path| (protocol, path)))
}

#[tokio::test]
async fn a_client_that_never_replies_is_disconnected() {
    let websockets = WebSockets::new().close_timeout(SHORT_CLOSE_TIMEOUT);
    let layer = layer_with(&websockets);
    let address = serve(failing(layer.clone())).await;
    for (protocol, path) in every_combination() {
        let client = connect_over(protocol, address, path).await;
        all_closed(&websockets).await;
        let mut sent = Vec::new();
        let mut io = client.into_inner();
        within(io.read_to_end(&mut sent)).await.unwrap();
        assert_eq!(
            sent,
            close_frame(1008, "no swearing"),
            "{protocol:?} {path}"
        );
    }
}

/// The close timeout does not matter.
#[tokio::test]
async fn a_client_that_replies_is_disconnected() {
    for timeout in [Duration::ZERO, Duration::MAX] {
        let websockets = WebSockets::new().close_timeout(timeout);
        let layer = layer_with(&websockets);
        let address = serve(failing(layer.clone())).await;
        for (protocol, path) in every_combination() {
            let mut client = connect_over(protocol, address, path).await;
            assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
            all_closed(&websockets).await;
        }
    }
}

/// Bytes that the client sends with the handshake belong to the connection.
#[tokio::test]
async fn a_client_may_send_before_the_handshake_is_answered() {
    let app = Router::new()
        .route("/before", any(async || no_swearing()))
        .route(
            "/after",
            bare(async |mut socket| {
                assert_eq!(
                    socket.recv().await.unwrap().unwrap().to_text().unwrap(),
                    "hello"
                );
                no_swearing().raise()
            }),
        )
        .layer(websocket_layer());
    let address = serve(app).await;
    for path in ["/before", "/after"] {
        let mut client = Raw::connect(address).await;
        let handshake = handshake(path, &[]).into_bytes();
        let all = [handshake, masked(TEXT, b"hello"), masked_close(1008)].concat();
        client.send(&all).await;
        assert!(client.head().await.starts_with("HTTP/1.1 101 "));
        let sent = client.rest().await.unwrap();
        assert_eq!(sent, close_frame(1008, "no swearing"), "{path}");
    }
}

/// The client gets no more time than the close timeout, and no incomplete frame.
#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let websockets = WebSockets::new().close_timeout(SHORT_CLOSE_TIMEOUT);
    let (layer, mut reports) = observed(layer_with(&websockets));
    let app = accepting(async |mut io: ServerIo| {
        let message = [&[0x82, 126, 0xff, 0xff][..], &[0; 0xffff]].concat();
        let writing = async { while io.write_all(&message).await.is_ok() {} };
        let _ = tokio::time::timeout(SHORT_CLOSE_TIMEOUT, writing).await;
        no_swearing().raise()
    });
    let address = serve(layer.layer(app)).await;
    let _client = Raw::open(address, "/").await;
    assert!(
        reports
            .next()
            .await
            .to_string()
            .starts_with("Raised WebSocket ")
    );
    all_closed(&websockets).await;
}

/// The error may be a consequence of the close, even if that has no code to repeat.
#[tokio::test]
async fn an_error_after_a_close_frame_without_a_code_closes_with_1000() {
    let app = accepting_and_catching(async |mut io: ServerIo| {
        io.read_exact(&mut vec![0; masked(CLOSE, b"").len()])
            .await?;
        Err("the game is over".into())
    });
    let address = serve(websocket_layer().layer(app)).await;
    let mut client = Raw::open(address, "/").await;
    client.send(&masked(CLOSE, b"")).await;
    assert_eq!(client.rest().await.unwrap(), close_frame(1000, ""));
}

#[tokio::test]
async fn a_lost_client_is_reported_if_the_application_fails() {
    for reset in [false, true] {
        let websockets = WebSockets::new();
        let (layer, mut reports) = observed(layer_with(&websockets));
        let app = accepting_and_catching(async |mut io: ServerIo| {
            let mut received = Vec::new();
            io.read_to_end(&mut received).await?;
            Err("it should have closed".into())
        });
        let address = serve(layer.layer(app)).await;
        let client = Raw::open(address, "/").await;
        match reset {
            true => client.reset(),
            false => drop(client),
        }
        let report = reports.next().await.to_string();
        assert!(
            report.starts_with("Returned WebSocket Aborted: "),
            "{report}"
        );
        all_closed(&websockets).await;
    }
}

#[tokio::test]
async fn a_lost_client_delays_nothing() {
    for reset in [false, true] {
        let websockets = WebSockets::new();
        let (layer, mut reports) = observed(layer_with(&websockets));
        let gone = std::sync::Arc::new(tokio::sync::Notify::new());
        let app = {
            let gone = gone.clone();
            accepting(move |io: ServerIo| {
                let gone = gone.clone();
                async move {
                    let _io = io;
                    gone.notified().await;
                    no_swearing().raise()
                }
            })
        };
        let address = serve(layer.layer(app)).await;
        let client = Raw::open(address, "/").await;
        match reset {
            true => client.reset(),
            false => drop(client),
        }
        gone.notify_one();
        assert!(
            reports
                .next()
                .await
                .to_string()
                .starts_with("Raised WebSocket ")
        );
        all_closed(&websockets).await;
        reports.assert_none();
    }
}

/// A reset would discard bytes that the client has not read yet.
#[tokio::test]
async fn a_client_may_send_megabytes_before_it_reads() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let address = serve(failing(layer.clone())).await;
    for (protocol, path) in every_combination() {
        let mut io = connect_over(protocol, address, path).await.into_inner();
        within(io.write_all(&megabytes())).await.unwrap();
        within(io.write_all(&masked_close(1008))).await.unwrap();
        let mut sent = Vec::new();
        within(io.read_to_end(&mut sent)).await.unwrap();
        assert_eq!(
            sent,
            close_frame(1008, "no swearing"),
            "{protocol:?} {path}"
        );
        all_closed(&websockets).await;
    }
}

#[tokio::test]
async fn a_client_that_sends_forever_is_disconnected() {
    let websockets = WebSockets::new().close_timeout(SHORT_CLOSE_TIMEOUT);
    let layer = layer_with(&websockets);
    let address = serve(failing(layer.clone())).await;
    for (protocol, path) in every_combination() {
        let mut io = connect_over(protocol, address, path).await.into_inner();
        let messages = megabytes();
        within(async { while io.write_all(&messages).await.is_ok() {} }).await;
        all_closed(&websockets).await;
    }
}

/// The client has shut down its side of the connection without a close frame, and reads on.
#[tokio::test]
async fn a_client_that_shut_down_is_disconnected() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let address = serve(layer.layer(accepting(async |mut io: ServerIo| {
        io.read_to_end(&mut Vec::new()).await.unwrap();
    })))
    .await;
    let mut client = Raw::open(address, "/").await;
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await.unwrap(), b"");
    all_closed(&websockets).await;
}
