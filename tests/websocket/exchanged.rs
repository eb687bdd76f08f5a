//! Connections that the application drops after both close frames: the layer shuts them down,
//! however long that takes.

use std::{future::Ready, sync::atomic::Ordering::SeqCst};

use http::Request;
use hyper::{body::Incoming, upgrade};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc::{self, UnboundedSender},
};
use tower::{Layer, util::ServiceFn};
use tower_exception::WebSockets;

use crate::support::websocket::*;

/// Returns a service that exchanges close frames and drops its I/O. It sends the number of
/// connections of the layer at once after that.
fn exchanging(
    websockets: WebSockets,
    at_drop: UnboundedSender<usize>,
) -> ServiceFn<impl Fn(Request<Incoming>) -> Ready<Accepted> + Clone> {
    accepting(move |mut io: ServerIo| {
        let (at_drop, websockets) = (at_drop.clone(), websockets.clone());
        async move {
            let mut close = vec![0; masked_close(1000).len()];
            io.read_exact(&mut close).await.unwrap();
            io.write_all(&close_frame(1000, "")).await.unwrap();
            drop(io);
            at_drop.send(websockets.count()).unwrap();
        }
    })
}

/// Exchanges close frames over HTTP/1.1. Returns the number of connections after the drop, and how
/// often the shutdown was polled in the end.
async fn exchanged(websockets: WebSockets, end: IoEnd) -> (usize, usize) {
    let (at_drop, mut counts) = mpsc::unbounded_channel();
    let service = layer_with(&websockets).layer(exchanging(websockets.clone(), at_drop));
    let (address, shutdown_polls) = serve_with_end(service, end).await;
    let mut client = Raw::open(address, "/").await;
    client.send(&masked_close(1000)).await;
    assert_eq!(client.rest().await.unwrap(), close_frame(1000, ""));
    let count = within(counts.recv()).await.unwrap();
    all_closed(&websockets).await;
    (count, shutdown_polls.load(SeqCst))
}

#[tokio::test]
async fn a_shutdown_that_is_ready_takes_no_task() {
    let now = exchanged(WebSockets::new(), IoEnd::ShutdownPending(0)).await;
    assert_eq!(now, (0, 1));
}

#[tokio::test]
async fn a_shutdown_that_is_pending_is_completed_by_a_task() {
    for pending in [1, 3] {
        let later = exchanged(WebSockets::new(), IoEnd::ShutdownPending(pending)).await;
        assert_eq!(later, (1, pending + 1));
    }
}

#[tokio::test]
async fn a_stream_of_http_2_is_shut_down_by_a_task() {
    let websockets = WebSockets::new();
    let (at_drop, mut counts) = mpsc::unbounded_channel();
    let service = layer_with(&websockets).layer(exchanging(websockets.clone(), at_drop));
    let address = serve(service).await;
    let response = extended_connect(address, "/", &[]).await;
    let mut client = TokioIo::new(within(upgrade::on(response)).await.unwrap());
    within(client.write_all(&masked_close(1000))).await.unwrap();
    let mut received = Vec::new();
    within(client.read_to_end(&mut received)).await.unwrap();
    assert_eq!(received, close_frame(1000, ""));
    // hyper's shutdown of a stream waits for a task of hyper's.
    assert_eq!(within(counts.recv()).await, Some(1));
    all_closed(&websockets).await;
}

#[tokio::test]
async fn a_shutdown_that_fails_ends_the_connection() {
    for end in [IoEnd::ShutdownError, IoEnd::ShutdownPanic] {
        let failed = exchanged(WebSockets::new(), end).await;
        assert_eq!(failed, (0, 1), "{end:?}");
    }
}

#[tokio::test]
async fn without_a_close_on_drop_the_connection_is_only_dropped() {
    let websockets = WebSockets::new().close_on_drop(None);
    let dropped = exchanged(websockets, IoEnd::ShutdownPending(0)).await;
    assert_eq!(dropped.1, 0);
}
