//! What clients do whose WebSocket is closed by an exception, before the handshake is answered and after it.

use std::time::Duration;

use axum::{Router, routing::any};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::Layer;

use crate::support::*;

/// Every kind of client that there is for [`failing`].
fn every_kind() -> impl Iterator<Item = (Protocol, &'static str)> {
    PROTOCOLS
        .into_iter()
        .flat_map(|protocol| BEFORE_AND_AFTER.map(|path| (protocol, path)))
}

#[tokio::test]
async fn it_never_answers() {
    let layer = upgrades().close_timeout(SOON);
    let address = serve(failing(layer.clone())).await;
    for (protocol, path) in every_kind() {
        let client = connect_over(protocol, address, path).await;
        all_closed(&layer).await;
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

/// However long the server would have waited.
#[tokio::test]
async fn it_answers() {
    for timeout in [Duration::ZERO, Duration::MAX] {
        let layer = upgrades().close_timeout(timeout);
        let address = serve(failing(layer.clone())).await;
        for (protocol, path) in every_kind() {
            let mut client = connect_over(protocol, address, path).await;
            assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
            all_closed(&layer).await;
        }
    }
}

/// What it has sent with the handshake is the connection's too.
#[tokio::test]
async fn it_does_not_wait_for_the_handshake() {
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
        .layer(upgrades());
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

/// It is given no more than the close timeout, and not half a frame.
#[tokio::test]
async fn it_does_not_read() {
    let (layer, mut told) = observed(upgrades().close_timeout(SOON));
    let app = accepting(async |mut io: Bare| {
        let message = [&[0x82, 126, 0xff, 0xff][..], &[0; 0xffff]].concat();
        let writing = async { while io.write_all(&message).await.is_ok() {} };
        let _ = tokio::time::timeout(SOON, writing).await;
        no_swearing().raise()
    });
    let address = serve(layer.layer(app)).await;
    let _client = Raw::open(address, "/").await;
    assert!(told.next().await.starts_with("Raised Upgraded "));
    all_closed(&layer).await;
}

#[tokio::test]
async fn it_is_gone_and_the_application_knows() {
    for reset in [false, true] {
        let (layer, mut told) = observed(upgrades());
        let app = accepting_caught(async |mut io: Bare| {
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
        let told = told.next().await;
        assert!(told.starts_with("Returned Upgraded CutShort: "), "{told}");
        all_closed(&layer).await;
    }
}

#[tokio::test]
async fn it_is_gone_and_nobody_knows() {
    for reset in [false, true] {
        let (layer, mut told) = observed(upgrades());
        let gone = std::sync::Arc::new(tokio::sync::Notify::new());
        let app = {
            let gone = gone.clone();
            accepting(move |io: Bare| {
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
        assert!(told.next().await.starts_with("Raised Upgraded "));
        all_closed(&layer).await;
        told.assert_nothing_else();
    }
}

/// A reset would take away what the client has not read yet.
#[tokio::test]
async fn it_sends_megabytes_before_it_reads() {
    let layer = upgrades();
    let address = serve(failing(layer.clone())).await;
    for (protocol, path) in every_kind() {
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
        all_closed(&layer).await;
    }
}

#[tokio::test]
async fn it_sends_without_end() {
    let layer = upgrades().close_timeout(SOON);
    let address = serve(failing(layer.clone())).await;
    for (protocol, path) in every_kind() {
        let mut io = connect_over(protocol, address, path).await.into_inner();
        let messages = megabytes();
        within(async { while io.write_all(&messages).await.is_ok() {} }).await;
        all_closed(&layer).await;
    }
}

/// It has closed its side of the connection without a close frame, and reads on.
#[tokio::test]
async fn it_has_shut_down() {
    let layer = upgrades();
    let address = serve(layer.layer(accepting(async |mut io: Bare| {
        io.read_to_end(&mut Vec::new()).await.unwrap();
    })))
    .await;
    let mut client = Raw::open(address, "/").await;
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await.unwrap(), b"");
    all_closed(&layer).await;
}
