//! Work in a task that nobody awaits, as the raising guide describes it.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    sync::oneshot,
    task::{JoinError, JoinSet},
    time::timeout,
};
use tower::{Layer, service_fn};
use tower_exception::{ExceptionLayer, HttpException, catch};

use crate::support::{PLAIN_500, Protocol, SECRET_TEXT, Server, observed, request};

type TestResponse = Response<Full<Bytes>>;
type Reply = oneshot::Sender<tower_exception::Result<&'static str>>;

const GONE: &str =
    r#"410 | content-length: 21 | content-type: application/json | {"detail":"sold out"}"#;

/// Requests that wait for the reply of a task, as a framework stores them.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<Option<Reply>>>);

impl Waiting {
    fn reply(&self, result: tower_exception::Result<&'static str>) {
        let reply = self.0.lock().unwrap().take();
        reply.unwrap().send(result).unwrap();
    }
}

async fn tool(path: &str) -> &'static str {
    match path {
        path if path.ends_with("raise") => HttpException::gone("sold out").raise(),
        path if path.ends_with("raise-async") => {
            HttpException::gone("sold out").raise_async().await
        }
        path if path.ends_with("panic") => panic!("{SECRET_TEXT}"),
        _ => std::future::pending().await,
    }
}

/// Spawns a task for the work, and waits for the reply that the task is to send.
async fn call(request: Request<Incoming>) -> tower_exception::Result<TestResponse> {
    let path = request.uri().path().to_owned();
    let (reply, replied) = oneshot::channel();
    let waiting = Waiting(Arc::new(Mutex::new(Some(reply))));
    // The framework holds the reply too, so that the channel does not close with the task.
    let _framework = waiting.clone();
    match &*path {
        "/dropped" => {
            let mut tasks = JoinSet::new();
            tasks.spawn(async move { waiting.reply(Ok(tool(&path).await)) });
            drop(tasks);
        }
        path if path.starts_with("/forgotten") => {
            let path = path.to_owned();
            tokio::spawn(async move { waiting.reply(Ok(tool(&path).await)) });
        }
        path if path.starts_with("/catch") => {
            let path = path.to_owned();
            tokio::spawn(async move {
                let result = AssertUnwindSafe(catch(tool(&path))).catch_unwind().await;
                waiting.reply(match result {
                    Ok(Ok(text)) => Ok(text),
                    Ok(Err(exception)) => Err(exception),
                    Err(_panic) => {
                        Err(HttpException::internal_server_error("the tool failed").into())
                    }
                });
            });
        }
        // The task is awaited, and its `JoinError` returned.
        _ => {
            let result: Result<_, JoinError> = tokio::spawn(async move { tool(&path).await }).await;
            return Ok(Response::new(Full::from(result?)));
        }
    }
    Ok(Response::new(Full::from(replied.await??)))
}

const A_WHILE: Duration = Duration::from_millis(200);

// E21
#[tokio::test]
async fn nothing_is_reported_of_a_forgotten_task_and_its_client_waits() {
    let (layer, mut reports) = observed(ExceptionLayer::new());
    let server = Server::start(layer.layer(service_fn(call))).await;
    for path in [
        "/forgotten/raise",
        "/forgotten/raise-async",
        "/forgotten/panic",
        "/dropped",
    ] {
        let mut client = server.connect(Protocol::Http1).await;
        let response = timeout(A_WHILE, client.send(request(Method::GET, path))).await;
        assert!(response.is_err(), "{path}: {response:?}");
        reports.assert_none();
    }
}

// E21
#[tokio::test]
async fn a_catch_in_the_task_sends_its_exception_on() {
    let (layer, mut reports) = observed(ExceptionLayer::new());
    let server = Server::start(layer.layer(service_fn(call))).await;
    for path in ["/catch/raise", "/catch/raise-async"] {
        assert_eq!(server.get(path).await.to_string(), GONE, "{path}");
        assert_eq!(
            reports.take(),
            ["Returned Future Status(410): 410: sold out"]
        );
    }
    let failed = server.get("/catch/panic").await;
    failed.assert_detail(500, "the tool failed");
}

// E21
#[tokio::test]
async fn a_task_that_is_awaited_is_within_sight() {
    let (layer, mut reports) = observed(ExceptionLayer::new());
    let server = Server::start(layer.layer(service_fn(call))).await;
    for path in ["/awaited/raise", "/awaited/raise-async"] {
        assert_eq!(server.get(path).await.to_string(), GONE, "{path}");
        assert_eq!(reports.take(), ["Raised Future Status(410): 410: sold out"]);
    }
    let response = server.get("/awaited/panic").await.to_string();
    assert_eq!(response, PLAIN_500);
    assert_eq!(reports.take().len(), 1);
}
