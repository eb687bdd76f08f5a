//! Exceptions that the body of a request ends in, as the raising guide describes them.

use std::{
    error::Error as _,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, rejection::BytesRejection},
    routing::post,
};
use http::{Method, Response};
use http_body::Frame;
use tower::{BoxError, ServiceBuilder, util::MapRequestLayer};
use tower_exception::{ExceptionLayer, HttpException, ServiceBuilderExt as _};

use crate::support::{PROTOCOLS, Server};

fn quota() -> HttpException {
    HttpException::forbidden("quota exceeded")
}

/// A request body that fails at once.
struct Fails(fn() -> HttpException);

impl http_body::Body for Fails {
    type Data = Bytes;
    type Error = HttpException;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpException>>> {
        Poll::Ready(Some(Err(self.0())))
    }
}

const REJECTED: &str = "400 | content-length: 54 | content-type: text/plain; charset=utf-8 | \
                        Failed to buffer the request body: 403: quota exceeded";
const QUOTA: &str =
    r#"403 | content-length: 27 | content-type: application/json | {"detail":"quota exceeded"}"#;

/// Returns the exception among the sources of a rejection.
fn from_rejection(rejection: BytesRejection) -> HttpException {
    let mut source = rejection.source();
    while let Some(error) = source {
        if let Some(exception) = error.downcast_ref::<HttpException>() {
            return exception.clone();
        }
        source = error.source();
    }
    HttpException::new(rejection.status()).with_detail(rejection.body_text())
}

async fn searched(body: Result<Bytes, BytesRejection>) -> Result<Bytes, HttpException> {
    body.map_err(from_rejection)
}

fn routes() -> Router {
    Router::new()
        .route("/bytes", post(async |body: Bytes| body))
        .route("/string", post(async |body: String| body))
        .route("/searched", post(searched))
}

/// Returns the layer that replaces the body of each request.
fn with_body(body: fn() -> HttpException) -> MapRequestLayer<impl Fn(Request) -> Request + Clone> {
    MapRequestLayer::new(move |request: Request| request.map(|_| Body::new(Fails(body))))
}

// E13
#[tokio::test]
async fn axum_takes_an_exception_of_a_request_body_for_a_bad_request() {
    let app = routes()
        .layer(with_body(quota))
        .layer(ExceptionLayer::new());
    let server = Server::start_axum(app).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for path in ["/bytes", "/string"] {
            assert_eq!(client.ask(Method::POST, path).await, REJECTED, "{path}");
        }
        assert_eq!(client.ask(Method::POST, "/searched").await, QUOTA);
    }
}

// E13
#[tokio::test]
async fn an_exception_that_a_request_body_raises_is_the_response() {
    let app = routes()
        .layer(with_body(|| quota().raise()))
        .layer(ExceptionLayer::new());
    let server = Server::start_axum(app).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for path in ["/bytes", "/string", "/searched"] {
            assert_eq!(client.ask(Method::POST, path).await, QUOTA, "{path}");
        }
    }
}

// E13
#[tokio::test]
async fn an_exception_of_a_request_body_that_a_service_returns_is_the_response() {
    let service = ServiceBuilder::new()
        .catch_exceptions()
        .map_request(|request: http::Request<hyper::body::Incoming>| request.map(Body::new))
        .layer(with_body(quota))
        .service_fn(async |request: Request| {
            let body = to_bytes(request.into_body(), 1024).await?;
            Ok::<_, BoxError>(Response::new(Body::from(body)))
        });
    let server = Server::start(service).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        assert_eq!(client.ask(Method::POST, "/").await, QUOTA);
    }
}
