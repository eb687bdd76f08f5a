//! The cases of the Autobahn TestSuite that the end of a connection depends on, against an echo
//! server of axum: without the layer, under the layer, and under the layer with its handle.
//!
//! Cases of sections 2 to 7 are data in [`cases`], [`texts`] and [`closes`], by their ids in the
//! suite. Section 1 (echo of plain messages), 9 and 10 (size and speed) test the library below.
//! Sections 12 and 13 test compression, which axum does not offer.
//!
//! The suite waits for a second in many cases. Here the client waits for the server's next frame.
//! It closes the connection as soon as it has all expected replies.
//!
//! If a client breaks the protocol, the suite accepts a connection that ends without a close frame.
//! Plain axum ends it in that way, as [`Case::bare`] says, except after an invalid close code.
//! Under the layer the close frame has the code of the fault.

mod case;
mod cases;
mod closes;
mod texts;

use std::net::SocketAddr;

use axum::{
    Router,
    extract::ws::{Message, WebSocket},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};
use tower_exception::WebSockets;

use self::case::{Case, Close, Frame, Step};
use crate::support::{Differences, websocket::*};

/// Cases of the suite in sections 2 to 7: 11, 7, 10, 20, 145 and 37.
const CASES: usize = 230;

fn all_cases() -> Vec<Case> {
    let cases: Vec<_> = [cases::all(), texts::all(), closes::all()]
        .into_iter()
        .flatten()
        .collect();
    let mut ids: Vec<_> = cases.iter().map(|case| &case.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((cases.len(), ids.len()), (CASES, CASES));
    cases
}

/// Echoes as axum's users do without the layer.
async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(_) | Message::Binary(_) = message {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    }
}

/// Echoes as the README's example does.
async fn try_echo(mut socket: WebSocket) -> tower_exception::Result<()> {
    while let Some(message) = socket.recv().await {
        match message? {
            message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message).await?,
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
        }
    }
    Ok(())
}

/// Returns the next frame of the server, unless the connection ends before it.
async fn next_frame(io: &mut (impl AsyncRead + Unpin)) -> Option<Frame> {
    let first = io.read_u8().await.ok()?;
    let length = match io.read_u8().await.ok()? {
        126 => io.read_u16().await.ok()?.into(),
        127 => io.read_u64().await.ok()?,
        length => length.into(),
    };
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    io.read_exact(&mut payload).await.ok()?;
    Some(Frame { first, payload })
}

/// Runs a case over one connection, and returns the server's frames before its close frame, the
/// close frame, and the frames after it.
async fn run(case: &Case, protocol: Protocol, address: SocketAddr) -> (Vec<Frame>, Close) {
    let io = connect_over(protocol, address, "/").await.into_inner();
    let (mut reader, mut writer) = tokio::io::split(io);
    let (sender, mut frames) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(frame) = next_frame(&mut reader).await {
            // The client has given up.
            if sender.send(frame).is_err() {
                return;
            }
        }
    });

    let mut received = Vec::new();
    let mut has_closed = false;
    for step in &case.steps {
        match step {
            // A server that has failed the connection takes no more bytes.
            Step::Write(bytes) => {
                let _ = within(writer.write_all(bytes)).await;
                let _ = within(writer.flush()).await;
            }
            Step::Close(bytes) => {
                let _ = within(writer.write_all(bytes)).await;
                let _ = within(writer.flush()).await;
                has_closed = true;
            }
            Step::Reply => received.extend(within(frames.recv()).await),
        }
    }
    let mut close = Close::None;
    while let Some(frame) = within(frames.recv()).await {
        if frame.first != CLOSE {
            assert_eq!(close, Close::None, "{}: {frame:?} after the close", case.id);
            received.push(frame);
            continue;
        }
        assert_eq!(close, Close::None, "{}: a second close frame", case.id);
        close = Close::of(&frame.payload);
        if !has_closed {
            // The server may have closed its side already.
            let _ = within(writer.write_all(&masked_close(1000))).await;
            let _ = within(writer.flush()).await;
        }
    }
    (received, close)
}

/// Runs all cases against an app, over both versions of HTTP.
async fn assert_ends(app: Router, expected_close: fn(&Case) -> Close) {
    let address = serve(app).await;
    let mut differences = Differences::default();
    for case in all_cases() {
        for protocol in PROTOCOLS {
            let (received, close) = run(&case, protocol, address).await;
            differences.note(
                &format!("{} over {protocol:?}", case.id),
                &format!("{received:?}, {close:?}"),
                &format!("{:?}, {:?}", case.replies, expected_close(&case)),
            );
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn without_the_layer() {
    assert_ends(Router::new().route("/", bare(echo)), |case| case.bare).await;
}

#[tokio::test]
async fn under_the_layer() {
    let websockets = WebSockets::new();
    assert_ends(app(bare(echo), layer_with(&websockets)), |case| case.close).await;
    all_closed(&websockets).await;
}

#[tokio::test]
async fn under_the_layer_with_the_handle() {
    let websockets = WebSockets::new();
    let app = app(catching(try_echo), layer_with(&websockets));
    assert_ends(app, |case| case.close).await;
    all_closed(&websockets).await;
}

/// No case ends worse under the layer: it has the close frame of plain axum, or one more.
#[test]
fn a_close_frame_of_plain_axum_is_that_of_the_layer() {
    for case in all_cases() {
        let is_same = case.bare == case.close;
        assert!(is_same || case.bare == Close::None, "{}", case.id);
    }
}
