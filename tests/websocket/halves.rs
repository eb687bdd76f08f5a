//! Connections that are split between tasks.

use std::{future::poll_fn, io::ErrorKind, pin::Pin, task::Poll, time::Duration};

use axum::extract::ws::WebSocket;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    sync::{mpsc, oneshot},
};
use tower::Layer;
use tower_exception::WebSockets;

use crate::support::websocket::*;

/// With the handle, a failure of one half closes the connection for the other half.
#[tokio::test]
async fn the_other_half_gets_an_error() {
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let (sender, mut errors) = mpsc::unbounded_channel();
    let route = catching(move |socket: WebSocket| {
        let sender = sender.clone();
        async move {
            let (mut writing, mut reading) = socket.split();
            let (pending, is_pending) = oneshot::channel();
            tokio::spawn(async move {
                let hello = reading.next().await.unwrap().unwrap();
                assert_eq!(hello.to_text().unwrap(), "hello");
                pending.send(()).unwrap();
                sender
                    .send(reading.next().await.unwrap().unwrap_err())
                    .unwrap();
                assert!(reading.next().await.is_none_or(|next| next.is_err()));
            });
            is_pending.await?;
            writing.send("hello".into()).await?;
            Err(no_swearing().into())
        }
    });
    let address = serve(app(route, layer.clone())).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        let close = closed_after_hello(&mut client).await;
        assert_eq!(close, code(1008, "no swearing"));
        let error = within(errors.recv()).await.unwrap();
        assert_eq!(
            error.to_string(),
            "IO error: the WebSocket was closed by an exception"
        );
    }
    all_closed(&websockets).await;
    assert_eq!(
        reports.take(),
        ["Returned WebSocket Close(1008): 1008: no swearing"; 2]
    );
}

#[tokio::test]
async fn the_other_half_gets_an_error_from_every_operation() {
    let (sender, mut errors) = mpsc::unbounded_channel();
    let app = accepting_and_catching(move |io: ServerIo| {
        let sender = sender.clone();
        async move {
            let (mut reading, mut writing) = split(io);
            let (pending, is_pending) = oneshot::channel();
            tokio::spawn(async move {
                pending.send(()).unwrap();
                let mut buffer = [0; 10];
                for error in [
                    reading.read(&mut buffer).await.unwrap_err(),
                    reading.read(&mut buffer).await.unwrap_err(),
                    writing.write(b"x").await.unwrap_err(),
                    writing.flush().await.unwrap_err(),
                    writing.shutdown().await.unwrap_err(),
                ] {
                    sender.send(error.kind()).unwrap();
                }
            });
            is_pending.await?;
            no_swearing().raise()
        }
    });
    let layer = websocket_layer();
    let address = serve(layer.layer(app)).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    for _ in 0..5 {
        let error = within(errors.recv()).await.unwrap();
        assert_eq!(error, ErrorKind::ConnectionAborted);
    }
}

/// A writer that is pending because the client does not read is woken too.
#[tokio::test]
async fn the_other_half_gets_an_error_from_a_pending_write() {
    let (sender, mut errors) = mpsc::unbounded_channel();
    let app = accepting_and_catching(move |io: ServerIo| {
        let sender = sender.clone();
        async move {
            let (_reading, mut writing) = split(io);
            let (stuck, is_stuck) = oneshot::channel();
            let mut stuck = Some(stuck);
            tokio::spawn(async move {
                let message = [&[0x82, 126, 0xff, 0xff][..], &[0; 0xffff]].concat();
                let writing = poll_fn(|cx| {
                    loop {
                        match Pin::new(&mut writing).poll_write(cx, &message) {
                            Poll::Ready(Ok(_)) => {}
                            Poll::Ready(Err(error)) => return Poll::Ready(error),
                            Poll::Pending => {
                                stuck.take().map(|stuck| stuck.send(()));
                                return Poll::Pending;
                            }
                        }
                    }
                });
                sender.send(writing.await.kind()).unwrap();
            });
            is_stuck.await?;
            no_swearing().raise()
        }
    });
    let websockets = WebSockets::new().close_timeout(Duration::from_millis(100));
    let layer = layer_with(&websockets);
    let address = serve(layer.layer(app)).await;
    let _client = Raw::open(address, "/").await;
    let error = within(errors.recv()).await.unwrap();
    assert_eq!(error, ErrorKind::ConnectionAborted);
    all_closed(&websockets).await;
}

/// Without the handle, the layer does not know the halves: the connection lives until the last one
/// is dropped.
#[tokio::test]
async fn without_the_handle_the_other_half_goes_on() {
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let route = bare(async |socket: WebSocket| {
        let (writing, mut reading) = socket.split();
        let raising = tokio::spawn(async move {
            let _writing = writing;
            no_swearing().raise()
        });
        raising.await.unwrap_err();
        let hello = reading.next().await.unwrap().unwrap();
        assert_eq!(hello.to_text().unwrap(), "hello");
    });
    let address = serve(app(route, layer.clone())).await;
    let mut client = connect(address, "/").await;
    client.send("hello".into()).await.unwrap();
    assert_eq!(closed(&mut client).await, code(1000, ""));
    reports.assert_none();
    all_closed(&websockets).await;
}
