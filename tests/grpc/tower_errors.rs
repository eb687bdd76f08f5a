//! Known errors of tower and tonic.

use std::{future, io, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::Notify;
use tonic::{Code, Status};
use tower::{BoxError, ServiceBuilder};
use tower_exception::{ExceptionLayer, ServiceBuilderExt as _};

use crate::{
    calls::assert_status,
    client,
    faults::{self, Way},
    generated::ItemId,
    support::{self, PLAIN_500, PLAIN_504, PROTOCOLS, Protocol, Server, within},
};

type Reply = Response<Full<Bytes>>;

async fn status(server: &Server) -> Status {
    let mut client = client::grpc(server.address());
    within(client.get(ItemId::default())).await.unwrap_err()
}

#[tokio::test]
async fn a_timeout_is_deadline_exceeded() {
    let service = ServiceBuilder::new()
        .catch_exceptions()
        .timeout(Duration::from_millis(20))
        .service_fn(|_: Request<Incoming>| future::pending::<Result<Reply, BoxError>>());
    let server = Server::start(service).await;
    let status = status(&server).await;
    let got = (status.code(), status.message());
    assert_eq!(got, (Code::DeadlineExceeded, "Gateway Timeout"));
    let mut client = server.connect(Protocol::Http1).await;
    assert_eq!(client.get("/").await, PLAIN_504);
}

/// Clients retry UNAVAILABLE, and the pushback is one second.
#[tokio::test]
async fn an_overload_is_unavailable() {
    let entered = Arc::new(Notify::new());
    let enter = Arc::clone(&entered);
    let service = ServiceBuilder::new()
        .catch_exceptions()
        .load_shed()
        .concurrency_limit(1)
        .service_fn(move |_: Request<Incoming>| {
            enter.notify_one();
            future::pending::<Result<Reply, BoxError>>()
        });
    let server = Server::start(service).await;
    let mut first = client::grpc(server.address());
    let mut first = pin!(first.get(ItemId::default()));
    tokio::select! {
        received = &mut first => panic!("{received:?}"),
        () = within(entered.notified()) => {}
    }
    let status = status(&server).await;
    let got = (status.code(), status.message());
    assert_eq!(got, (Code::Unavailable, "Service Unavailable"));
    let pushback = status.metadata().get("grpc-retry-pushback-ms");
    assert_eq!(pushback.unwrap(), "1000");
}

/// An error with a source.
#[derive(Debug)]
struct Around(BoxError);

impl std::fmt::Display for Around {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(support::SECRET_TEXT)
    }
}

impl std::error::Error for Around {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

async fn returning(error: fn() -> BoxError) -> Server {
    let service = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .service_fn(move |_: Request<Incoming>| async move { Err::<Reply, _>(error()) });
    Server::start(service).await
}

/// Errors that have a status as a source.
const SOURCES: [fn() -> BoxError; 3] = [
    || Around(faults::status().into()).into(),
    || Around(Around(faults::status().into()).into()).into(),
    || io::Error::other(faults::status()).into(),
];

#[tokio::test]
async fn a_status_passes_unchanged() {
    let server = returning(|| faults::status().into()).await;
    assert_status(&status(&server).await, Way::Status);
}

#[tokio::test]
async fn a_status_in_the_sources_of_an_error_shows_only_its_code() {
    for error in SOURCES {
        let server = returning(error).await;
        let status = status(&server).await;
        let got = (status.code(), status.message());
        assert_eq!(got, (Code::DataLoss, "Internal Server Error"));
        assert!(status.details().is_empty());
        assert!(status.metadata().get("x-own").is_none());
    }
}

#[tokio::test]
async fn a_json_client_gets_the_http_status_of_a_status() {
    let mut cases = SOURCES.map(|error| (error, PLAIN_500)).to_vec();
    let shown =
        r#"500 | content-length: 21 | content-type: application/json | {"detail":"sold out"}"#;
    cases.push((|| faults::status().into(), shown));
    for (error, expected) in cases {
        let server = returning(error).await;
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            assert_eq!(client.ask(Method::POST, "/").await, expected);
        }
    }
}
