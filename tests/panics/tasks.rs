//! Panics in tasks, whose `JoinError` comes to a layer.

use std::panic::resume_unwind;

use anyhow::Context as _;
use axum::{Router, extract::Path, routing::get};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time,
};
use tower::{BoxError, Layer, service_fn};
use tower_exception::{ExceptionLayer, Result};

use crate::{panic_formatted, panic_here, seen::watched, support::Server};

type Joined = JoinHandle<String>;

fn spawned() -> Joined {
    tokio::spawn(async {
        tokio::task::yield_now().await;
        panic_here!()
    })
}

async fn joins(Path(case): Path<String>) -> Result<String> {
    Ok(match &*case {
        "spawned" => spawned().await?,
        "spawned-in-anyhow" => spawned().await.context("the task")?,
        "blocking" => spawn_blocking(|| panic_formatted!()).await?,
        "blocking-in-anyhow" => spawn_blocking(|| panic_here!()).await.context("blocking")?,
        "timeout" => time::timeout(time::Duration::from_secs(60), spawned()).await??,
        // The text of a `String` is recognized wherever it unwinds.
        "resumed" => match spawn_blocking(|| -> String { panic_formatted!() }).await {
            Ok(text) => text,
            Err(error) => resume_unwind(error.into_panic()),
        },
        // Both panic with equal texts, at two lines. The second one is awaited first.
        "twins" => {
            let first: Joined = tokio::spawn(async { panic!("twin") });
            let second: Joined = tokio::spawn(async { panic!("twin") });
            let second = second.await;
            let _ = first.await;
            second?
        }
        "task-of-a-task" => {
            let outer: JoinHandle<Result<String>> = tokio::spawn(async { Ok(spawned().await?) });
            outer.await??
        }
        _ => unreachable!(),
    })
}

#[tokio::test]
async fn a_panic_of_a_task_has_its_place() {
    let (layer, mut panics) = watched(ExceptionLayer::new());
    let app = Router::new().route("/{case}", get(joins)).layer(layer);
    let server = Server::start(app).await;
    for case in [
        "spawned",
        "spawned-in-anyhow",
        "blocking",
        "blocking-in-anyhow",
        "timeout",
        "resumed",
        "task-of-a-task",
    ] {
        server.get(&format!("/{case}")).await;
        let seen = panics.next_handled().await;
        seen.assert_is_in("tasks.rs", case);
    }
}

#[tokio::test]
async fn two_tasks_with_one_text_have_their_own_places() {
    let (layer, mut panics) = watched(ExceptionLayer::new());
    let app = Router::new().route("/{case}", get(joins)).layer(layer);
    Server::start(app).await.get("/twins").await;
    let source = include_str!("tasks.rs").lines();
    let second = source
        .zip(1..)
        .find(|(line, _)| line.contains("let second: Joined"));
    let seen = panics.next_handled().await;
    assert_eq!(seen.location.unwrap().line(), second.unwrap().1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_error_that_is_the_error_of_a_service_has_the_place_on_another_thread() {
    crate::seen::start();
    let (sender, mut places) = tokio::sync::mpsc::unbounded_channel();
    let layer = ExceptionLayer::new().on_panic(
        move |panic: tower_exception::Caught<tower_exception::Panic>| {
            let panic = panic.error();
            sender.send((panic.to_string(), panic.location())).unwrap();
            tower_exception::HttpException::internal_server_error("handled")
        },
    );
    let service = service_fn(async |_: Request<Incoming>| {
        let text: String = spawn_blocking(|| panic_here!()).await?;
        Ok::<_, BoxError>(Response::new(Full::new(Bytes::from(text))))
    });
    Server::start(layer.layer(service)).await.get("/").await;
    let (text, place) = places.recv().await.unwrap();
    assert_eq!(
        text,
        format!("panicked: {} line {}", file!(), place.unwrap().line())
    );
}
