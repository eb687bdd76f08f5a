//! Connections that are dropped during an unwinding, or after one. Each test runs on one thread.

use std::panic::{catch_unwind, resume_unwind};

use axum::{Router, extract::ws::WebSocket};
use tokio::sync::mpsc;
use tower::Layer;
use tower_exception::{HttpException, catch};

use crate::support::websocket::*;

fn raised() -> Box<dyn std::any::Any + Send> {
    catch_unwind(|| no_swearing().raise()).unwrap_err()
}

#[tokio::test]
async fn a_caught_raise_leaves_no_state() {
    let app = Router::new()
        .route(
            "/unwinding/dropped",
            bare(async |mut socket: WebSocket| {
                drop(raised());
                echo_one(&mut socket).await;
            }),
        )
        .route(
            "/unwinding/panicked",
            bare(async |mut socket: WebSocket| {
                drop(raised());
                echo_one(&mut socket).await;
                panic!("{SECRET_TEXT}");
            }),
        )
        .route(
            "/catch/panicked",
            bare(async |mut socket: WebSocket| {
                let caught = catch(async { no_swearing().raise() }).await.unwrap_err();
                echo_one(&mut socket).await;
                panic!("{SECRET_TEXT}: {caught}");
            }),
        )
        .route(
            "/taken-over/panicked",
            bare(async |mut socket: WebSocket| {
                let caught = catch_unwind(|| HttpException::gone("sold out").raise());
                let caught = caught.unwrap_err().downcast::<HttpException>().unwrap();
                let caught = HttpException::clone(&caught);
                echo_one(&mut socket).await;
                panic!("{SECRET_TEXT}: {caught}");
            }),
        )
        .layer(websocket_layer());
    let address = serve(app).await;
    for (path, expected) in [
        ("/unwinding/dropped", code(1000, "")),
        ("/unwinding/panicked", code(1011, "")),
        ("/catch/panicked", code(1011, "")),
        ("/taken-over/panicked", code(1011, "")),
    ] {
        let mut client = connect(address, path).await;
        assert_eq!(closed_after_hello(&mut client).await, expected, "{path}");
    }
}

/// The `JoinHandle` of a task that raised contains the payload. It must not affect other
/// connections.
#[tokio::test]
async fn a_stored_raise_does_not_affect_a_panic_of_another_task() {
    let raising = tokio::spawn(async { no_swearing().raise() });
    while !raising.is_finished() {
        tokio::task::yield_now().await;
    }
    let (layer, mut reports) = observed(websocket_layer());
    let address = serve(layer.layer(accepting(async |_io| panic!("{SECRET_TEXT}")))).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1011, ""));
    assert_eq!(reports.take(), ["Panicked WebSocket Close(1011): panicked"]);
    drop(raising);
}

#[tokio::test]
async fn a_raise_may_be_caught_and_resumed() {
    let app = accepting(async |_io| resume_unwind(raised()));
    let address = serve(websocket_layer().layer(app)).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
}

#[tokio::test]
async fn the_second_of_two_raises_closes_the_connection() {
    let app = accepting(async |_io| {
        drop(raised());
        HttpException::gone("sold out").raise()
    });
    let address = serve(websocket_layer().layer(app)).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(4410, "sold out"));
}

/// One task raises, and another task on the same thread drops its connection.
#[tokio::test]
async fn a_raise_in_another_task_does_not_affect_the_connection() {
    let (sender, mut dropped) = mpsc::unbounded_channel();
    let app = accepting(move |io: ServerIo| {
        let sender = sender.clone();
        async move {
            let raising = tokio::spawn(async { no_swearing().raise() });
            while !raising.is_finished() {
                tokio::task::yield_now().await;
            }
            drop(io);
            sender.send(raising).unwrap();
        }
    });
    let address = serve(websocket_layer().layer(app)).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1000, ""));
    assert!(
        within(dropped.recv())
            .await
            .unwrap()
            .await
            .unwrap_err()
            .is_panic()
    );
}

/// Runs its function when it is dropped, before it drops its connection.
#[expect(dead_code, reason = "the connection is only dropped")]
struct AtDrop<F: FnMut()>(ServerIo, F);

impl<F: FnMut()> Drop for AtDrop<F> {
    fn drop(&mut self) {
        (self.1)();
    }
}

#[tokio::test]
async fn failures_in_destructors_close_the_connection() {
    let raise = || no_swearing().raise();
    let panic = || panic!("{SECRET_TEXT}");
    let caught = || drop(raised());
    let raising = accepting(move |io| async move { drop(AtDrop(io, raise)) });
    let panicking = accepting(move |io| async move { drop(AtDrop(io, panic)) });
    let catching = accepting(move |io| async move { drop(AtDrop(io, caught)) });
    for (address, expected) in [
        (
            serve(websocket_layer().layer(raising)).await,
            code(1008, "no swearing"),
        ),
        (
            serve(websocket_layer().layer(panicking)).await,
            code(1011, ""),
        ),
        (
            serve(websocket_layer().layer(catching)).await,
            code(1000, ""),
        ),
    ] {
        let mut client = connect(address, "/").await;
        assert_eq!(closed(&mut client).await, expected);
    }
}

/// An unwinding that is caught in a destructor does not end the outer one.
#[tokio::test]
async fn failures_in_destructors_do_not_replace_an_unwinding() {
    let nested = || drop(catch_unwind(|| panic!("{SECRET_TEXT}")));
    let raising = accepting(move |io| async move {
        let _at_drop = AtDrop(io, nested);
        no_swearing().raise()
    });
    let panicking = accepting(async move |io| {
        let _at_drop = AtDrop(io, || drop(raised()));
        panic!("{SECRET_TEXT}")
    });
    for (address, expected) in [
        (
            serve(websocket_layer().layer(raising)).await,
            code(1008, "no swearing"),
        ),
        (
            serve(websocket_layer().layer(panicking)).await,
            code(1011, ""),
        ),
    ] {
        let mut client = connect(address, "/").await;
        assert_eq!(closed(&mut client).await, expected);
    }
}
