//! Payloads whose panic is in doubt: a wrong place is worse than none.

use std::{
    any::Any,
    panic::{catch_unwind, panic_any, resume_unwind},
    thread,
};

use axum::{Router, extract::Path, routing::get};
use tower_exception::{ExceptionLayer, HttpException};

use crate::{
    backtraces::run,
    panic_here,
    seen::{Panics, watched},
    support::Server,
};

type Payload = Box<dyn Any + Send>;

/// Returns the payloads of two panics with one text, at two places.
fn two() -> [Payload; 2] {
    let first = catch_unwind(|| panic!("one of two")).unwrap_err();
    let second = catch_unwind(|| panic!("one of two")).unwrap_err();
    [first, second]
}

/// Returns the payloads of two panics with one value, at two places.
fn two_values() -> [Payload; 2] {
    let first = catch_unwind(|| panic_any(7_u16)).unwrap_err();
    let second = catch_unwind(|| panic_any(7_u16)).unwrap_err();
    [first, second]
}

/// Panics in its destructor with the text of the panic that runs it, and catches that.
struct PanicsAlike;

impl Drop for PanicsAlike {
    fn drop(&mut self) {
        drop(catch_unwind(|| panic!("alike")));
    }
}

async fn unwinds(Path(case): Path<String>) -> String {
    match &*case {
        "another-text" => {
            drop(catch_unwind(|| panic!("swallowed")));
            resume_unwind(Box::new("another text"))
        }
        "another-type" => {
            drop(catch_unwind(|| panic!("swallowed")));
            resume_unwind(Box::new(String::from("swallowed")))
        }
        "equal-in-a-later-poll" => {
            drop(catch_unwind(|| panic!("equal")));
            tokio::task::yield_now().await;
            resume_unwind(Box::new("equal"))
        }
        "another-value" => {
            drop(catch_unwind(|| panic_any(7_i16)));
            resume_unwind(Box::new(7_i32))
        }
        "first-of-two" => {
            let [first, _second] = two();
            resume_unwind(first)
        }
        "second-of-two" => {
            let [_first, second] = two();
            resume_unwind(second)
        }
        "first-of-two-values" => {
            let [first, _second] = two_values();
            resume_unwind(first)
        }
        "of-another-thread" => {
            let panicked = thread::spawn(|| panic!("of another thread")).join();
            drop(panicked);
            resume_unwind(Box::new("of another thread"))
        }
        "of-a-detached-task" => {
            let task = tokio::spawn(async { panic!("detached") });
            drop(task.await);
            resume_unwind(Box::new("detached"))
        }
        "swallowed-and-of-a-task" => {
            let task = tokio::spawn(async { panic!("both") }).await;
            drop(catch_unwind(|| panic!("both")));
            resume_unwind(task.unwrap_err().into_panic())
        }
        "alike" => {
            let _guard = PanicsAlike;
            panic!("alike")
        }
        _ => unreachable!(),
    }
}

async fn serve() -> (Server, Panics) {
    let (layer, panics) = watched(ExceptionLayer::new());
    let app = Router::new()
        .route("/{case}", get(unwinds))
        .route("/stored/{step}", get(stored))
        .route("/exception", get(exception))
        .route("/retried", get(retried))
        .route("/late", get(late))
        .layer(layer);
    (Server::start(app).await, panics)
}

#[tokio::test]
async fn a_payload_of_which_two_places_are_possible_has_none() {
    let (server, mut panics) = serve().await;
    for case in [
        "another-text",
        "another-type",
        "equal-in-a-later-poll",
        "another-value",
        "first-of-two",
        "second-of-two",
        "first-of-two-values",
        "of-another-thread",
        "of-a-detached-task",
        "swallowed-and-of-a-task",
        "alike",
    ] {
        server.get(&format!("/{case}")).await;
        let seen = panics.next_handled().await;
        assert_eq!(seen.location, None, "{case}");
        assert_eq!((seen.thread, seen.has_backtrace), (None, false), "{case}");
    }
}

/// The first request stores the payload of a panic, and the second one unwinds with it.
async fn stored(Path(step): Path<String>) -> String {
    static STORED: std::sync::Mutex<Option<Payload>> = std::sync::Mutex::new(None);
    if step == "1" {
        let payload = catch_unwind(|| panic_here!()).err();
        *STORED.lock().unwrap() = payload;
        return String::new();
    }
    drop(catch_unwind(|| panic!("meanwhile")));
    let payload = STORED.lock().unwrap().take();
    resume_unwind(payload.unwrap())
}

#[tokio::test]
async fn a_stored_payload_has_its_own_place_or_none() {
    let (server, mut panics) = serve().await;
    server.get("/stored/1").await;
    server.get("/stored/2").await;
    let seen = panics.next_handled().await;
    if seen.location.is_some() {
        seen.assert_is_in("doubtful.rs", "stored");
    }
}

/// Panics with an exception, and returns its place as the detail.
async fn exception() -> String {
    let line = line!() + 1;
    let exception = HttpException::conflict("taken");
    panic_any(exception.with_detail(serde_json::json!(line)))
}

#[tokio::test]
async fn an_exception_that_a_panic_carries_has_the_place_of_its_construction() {
    let (layer, mut panics) = watched(ExceptionLayer::new());
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let layer = layer.observe(move |caught, _| {
        sender.send(caught.location().unwrap().line()).unwrap();
    });
    let app = Router::new().route("/", get(exception)).layer(layer);
    let received = Server::start(app).await.get("/").await;
    let line = lines.recv().await.unwrap();
    assert_eq!(received.body, format!(r#"{{"detail":{line}}}"#));
    panics.assert_none();
}

/// Panics at one line until it gives up.
async fn retried() -> String {
    for _ in 0..4 {
        drop(catch_unwind(attempt));
    }
    attempt()
}

fn attempt() -> String {
    panic_here!()
}

#[tokio::test]
async fn panics_of_one_place_are_in_no_doubt() {
    let (server, mut panics) = serve().await;
    server.get("/retried").await;
    let seen = panics.next_handled().await;
    seen.assert_is_in("doubtful.rs", "retried");
}

/// Waits for a task that has panicked before 200 others.
async fn late() -> tower_exception::Result<String> {
    let first = tokio::spawn(async { panic_here!() });
    tokio::task::yield_now().await;
    for number in 0..200 {
        drop(catch_unwind(|| panic!("number {number}")));
    }
    Ok(first.await?)
}

/// Runs in a process of its own, because it pushes out the records of other tests.
#[tokio::test]
#[ignore = "runs in a process of its own"]
async fn child() {
    let (server, mut panics) = serve().await;
    server.get("/late").await;
    assert_eq!(panics.next_handled().await.location, None);
}

#[test]
fn a_task_that_panicked_long_ago_has_no_place() {
    run("doubtful::child", "", None);
}
