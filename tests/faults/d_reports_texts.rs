//! The texts of an event: the chain of sources, and the path.

use std::{error::Error, fmt, io};

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{BoxError, Layer as _, service_fn};
use tower_exception::{Caught, ExceptionLayer, HttpException, Outcome};

use crate::support::{
    Server,
    log::{Log, LoggedEvent},
};

fn disk_gone() -> io::Error {
    io::Error::other("disk gone")
}

/// Errors as `thiserror` derives them.
#[derive(Debug)]
enum Derived {
    /// `#[error(transparent)]`
    Transparent(io::Error),
    /// `#[error("cannot save: {0}")]`, with a source.
    WithText(BoxError),
    /// `#[error("{0}")]`, with a source.
    OnlyText(BoxError),
}

impl fmt::Display for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transparent(error) => error.fmt(f),
            Self::WithText(error) => write!(f, "cannot save: {error}"),
            Self::OnlyText(error) => error.fmt(f),
        }
    }
}

impl Error for Derived {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Transparent(error) => error.source(),
            Self::WithText(error) | Self::OnlyText(error) => Some(&**error),
        }
    }
}

async fn fail(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
    Err(match request.uri().path() {
        "/io" => disk_gone().into(),
        "/io/io" => io::Error::other(disk_gone()).into(),
        "/transparent" => Derived::Transparent(disk_gone()).into(),
        "/text" => Derived::WithText(disk_gone().into()).into(),
        "/only-text" => Derived::OnlyText(disk_gone().into()).into(),
        "/nested" => Derived::OnlyText(Derived::WithText(disk_gone().into()).into()).into(),
        "/anyhow" => anyhow::Error::new(disk_gone())
            .context("cannot save")
            .into(),
        "/anyhow-text" => anyhow::Error::new(Derived::WithText(disk_gone().into())).into(),
        "/exception" => HttpException::internal_server_error("oops")
            .with_source(Derived::WithText(disk_gone().into()))
            .into(),
        "/exception-text" => {
            let error = disk_gone();
            HttpException::internal_server_error(error.to_string())
                .with_source(error)
                .into()
        }
        _ => HttpException::internal_server_error("oops")
            .with_source(disk_gone())
            .raise(),
    })
}

// D7
#[tokio::test]
async fn the_chain_of_sources_repeats_no_text() {
    let plain = Server::start(ExceptionLayer::new().layer(service_fn(fail))).await;
    let layer = ExceptionLayer::new().observe(|_: &Caught, _: Outcome| {});
    let configured = Server::start(layer.layer(service_fn(fail))).await;
    for (path, expected) in [
        ("/io", "disk gone"),
        ("/io/io", "disk gone"),
        ("/transparent", "disk gone"),
        ("/text", "cannot save: disk gone"),
        ("/only-text", "disk gone"),
        ("/nested", "cannot save: disk gone"),
        ("/anyhow", "cannot save: disk gone"),
        ("/anyhow-text", "cannot save: disk gone"),
        ("/exception", "500: oops: cannot save: disk gone"),
        ("/exception-text", "500: disk gone"),
        ("/raised", "500: oops: disk gone"),
    ] {
        for server in [&plain, &configured] {
            let log = Log::start();
            server.get(path).await;
            assert_eq!(
                log.only_event().get("exception.message"),
                Some(expected),
                "{path}"
            );
        }
    }
}

/// Returns the event of a request to an axum app that nests routers.
async fn event_of(path: &str) -> LoggedEvent {
    fn layer() -> ExceptionLayer<tower_exception::config::Configured> {
        ExceptionLayer::new().on_any(|caught: Caught| {
            assert_eq!(caught.request().uri().path(), "/items/7");
            StatusCode::BAD_GATEWAY
        })
    }
    let items = || Router::new().route("/items/{id}", get(async || HttpException::gone("")));
    let app = Router::new()
        .nest("/api", items().layer(layer()))
        .nest("/v2", Router::new().nest("/deep", items().layer(layer())))
        .nest_service("/service", layer().layer(items()))
        .merge(items().layer(layer()));
    let server = Server::start_axum(app).await;
    let log = Log::start();
    server.get(path).await.assert_detail(502, "Bad Gateway");
    log.only_event()
}

// D9
#[tokio::test]
async fn the_path_in_the_log_is_the_one_that_the_client_requested() {
    for path in [
        "/api/items/7",
        "/v2/deep/items/7",
        "/service/items/7",
        "/items/7",
    ] {
        let event = event_of(&format!("{path}?token=hunter2")).await;
        assert_eq!(event.get("url.path"), Some(path));
    }
}
