//! Errors that are returned, raised at any depth, raised async, and from tasks.

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, service_fn};
use tower_exception::{
    Error, ExceptionLayer, Raise, Result, catch, catch_sync, config::LayerConfig,
};

use crate::{
    cases::{CASES, Case},
    shop::shop,
    support::{PROTOCOLS, Server, request},
};

type TestResponse = Response<Full<Bytes>>;

/// Raises, without a `Result`, this many calls deeper.
fn raise(error: fn() -> Error, depth: u8) -> TestResponse {
    match depth {
        0 => error().raise(),
        _ => raise(error, depth - 1),
    }
}

const WAYS: [&str; 11] = [
    "returned",
    "raised",
    "raised-async",
    "task",
    "task-async",
    "task-anyhow",
    "task-eyre",
    "blocking",
    "panicked",
    "catch",
    "catch-async",
];

/// Fails in one of the [`WAYS`].
async fn fail(way: &str, error: fn() -> Error) -> Result<TestResponse> {
    match way {
        "returned" => Err(error()),
        "raised" => Ok(raise(error, 3)),
        "raised-async" => error().raise_async().await,
        "task" => Ok(tokio::spawn(async move { raise(error, 3) }).await?),
        "task-async" => Ok(tokio::spawn(async move { error().raise_async().await }).await?),
        "task-anyhow" => {
            let joined = tokio::spawn(async move { raise(error, 3) }).await;
            Ok(joined.context("the task")?)
        }
        "task-eyre" => {
            let joined = tokio::spawn(async move { raise(error, 3) }).await;
            Ok(joined.map_err(eyre::Report::new)?)
        }
        "blocking" => Ok(tokio::task::spawn_blocking(move || raise(error, 3)).await?),
        "panicked" => std::panic::resume_unwind(Box::new(error().into_boxed())),
        "catch" => catch_sync(|| raise(error, 3)),
        "catch-async" => catch(error().raise_async()).await,
        _ => panic!("no such way: {way}"),
    }
}

async fn serve(layer: ExceptionLayer<impl LayerConfig>) -> Server {
    let service = service_fn(async |request: Request<Incoming>| {
        let path = request.uri().path();
        let way = path.split('/').nth(1).unwrap();
        fail(way, Case::of_path(path).error).await
    });
    Server::start(layer.layer(service)).await
}

/// Requests every case in every way, and compares the responses.
async fn check(server: &Server, expected: fn(&Case) -> (u16, &'static str)) {
    let mut differences = Vec::new();
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for (number, case) in CASES.iter().enumerate() {
            let (status, detail) = expected(case);
            let body = serde_json::json!({ "detail": detail }).to_string();
            for way in WAYS {
                let path = format!("/{way}/{number}");
                let got = client.exchange(request(Method::GET, &path)).await.unwrap();
                if (got.status.as_u16(), got.text()) != (status, &body) {
                    differences.push(format!("{protocol:?} {way} {}: {got}", case.name));
                }
                let head = client.exchange(request(Method::HEAD, &path)).await.unwrap();
                if (head.status, head.headers_without_date())
                    != (got.status, got.headers_without_date())
                {
                    differences.push(format!("{protocol:?} HEAD {way} {}: {head}", case.name));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(server.panics(), 0);
}

// E2, E11
#[tokio::test]
async fn the_way_in_which_an_error_arises_does_not_matter_to_its_handler() {
    let server = serve(shop()).await;
    check(&server, |case| case.handled).await;
}

// E2, E11
#[tokio::test]
async fn the_way_in_which_an_error_arises_does_not_matter_to_its_default() {
    let server = serve(ExceptionLayer::new()).await;
    check(&server, |case| case.default).await;
}

// E11
#[tokio::test]
async fn a_join_error_without_a_panic_is_an_unknown_error() {
    let service = service_fn(async |_: Request<Incoming>| {
        let task = tokio::spawn(std::future::pending::<TestResponse>());
        task.abort();
        Ok::<_, Error>(task.await.context("the task")?)
    });
    let server = Server::start(shop().layer(service)).await;
    server.get("/").await.assert_default_500();
}
