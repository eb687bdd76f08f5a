//! What a guard that is dropped can know of what is unwinding. All of a test is on one thread.

use std::panic::{catch_unwind, resume_unwind};

use axum::{Router, extract::ws::WebSocket};
use tokio::sync::mpsc;
use tower::Layer;
use tower_exception::{HttpException, catch};

use crate::support::*;

fn raised() -> Box<dyn std::any::Any + Send> {
    catch_unwind(|| no_swearing().raise()).unwrap_err()
}

#[tokio::test]
async fn a_raise_that_was_caught_leaves_nothing_behind() {
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
                let kept = catch(async { no_swearing().raise() }).await.unwrap_err();
                echo_one(&mut socket).await;
                panic!("{SECRET_TEXT}: {kept}");
            }),
        )
        .route(
            "/taken-over/panicked",
            bare(async |mut socket: WebSocket| {
                let kept = catch_unwind(|| HttpException::gone("sold out").raise());
                let kept = kept.unwrap_err().downcast::<HttpException>().unwrap();
                let kept = HttpException::clone(&kept);
                echo_one(&mut socket).await;
                panic!("{SECRET_TEXT}: {kept}");
            }),
        )
        .layer(upgrades());
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

/// A task that has raised is kept, as its payload, by whoever has its handle. That is no other client's business.
#[tokio::test]
async fn a_raise_that_is_kept_elsewhere_is_not_taken_for_a_panic_of_another_task() {
    let kept = tokio::spawn(async { no_swearing().raise() });
    while !kept.is_finished() {
        tokio::task::yield_now().await;
    }
    let (layer, mut told) = observed(upgrades());
    let address = serve(layer.layer(accepting(async |_io| panic!("{SECRET_TEXT}")))).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1011, ""));
    assert_eq!(told.all(), ["Panicked Upgraded Close(1011): panicked"]);
    drop(kept);
}

#[tokio::test]
async fn a_raise_that_is_caught_and_goes_on() {
    let app = accepting(async |_io| resume_unwind(raised()));
    let address = serve(upgrades().layer(app)).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
}

#[tokio::test]
async fn of_two_raises_the_second_one_counts() {
    let app = accepting(async |_io| {
        drop(raised());
        HttpException::gone("sold out").raise()
    });
    let address = serve(upgrades().layer(app)).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(4410, "sold out"));
}

/// One task raises, and the connection of another one is dropped, on the same thread.
#[tokio::test]
async fn a_raise_in_another_task() {
    let (sender, mut dropped) = mpsc::unbounded_channel();
    let app = accepting(move |io: Bare| {
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
    let address = serve(upgrades().layer(app)).await;
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

/// Runs `1` when it is dropped, with `0` still there.
#[expect(dead_code, reason = "it is there to be dropped")]
struct AtDrop<F: FnMut()>(Bare, F);

impl<F: FnMut()> Drop for AtDrop<F> {
    fn drop(&mut self) {
        (self.1)();
    }
}

#[tokio::test]
async fn in_destructors() {
    let raise = || no_swearing().raise();
    let panic = || panic!("{SECRET_TEXT}");
    let caught = || drop(raised());
    let raising = accepting(move |io| async move { drop(AtDrop(io, raise)) });
    let panicking = accepting(move |io| async move { drop(AtDrop(io, panic)) });
    let catching = accepting(move |io| async move { drop(AtDrop(io, caught)) });
    for (address, expected) in [
        (
            serve(upgrades().layer(raising)).await,
            code(1008, "no swearing"),
        ),
        (serve(upgrades().layer(panicking)).await, code(1011, "")),
        (serve(upgrades().layer(catching)).await, code(1000, "")),
    ] {
        let mut client = connect(address, "/").await;
        assert_eq!(closed(&mut client).await, expected);
    }
}

/// What is caught in a destructor does not end what it runs in.
#[tokio::test]
async fn in_destructors_while_something_unwinds() {
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
            serve(upgrades().layer(raising)).await,
            code(1008, "no swearing"),
        ),
        (serve(upgrades().layer(panicking)).await, code(1011, "")),
    ] {
        let mut client = connect(address, "/").await;
        assert_eq!(closed(&mut client).await, expected);
    }
}
