//! Failures too late for a handler, in the body, and before the service is called.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Mechanism, Outcome, Phase, WebSocketException,
};

use crate::support::*;

/// Serves a body whose second frame is the result of `end`, and returns the response and the
/// reports. No handler may be called.
async fn body_that(
    end: fn() -> Result<Frame<Bytes>, BoxError>,
) -> (Received, Vec<(Mechanism, Phase, Outcome)>) {
    let handled = Arc::new(AtomicUsize::new(0));
    let handling = Arc::clone(&handled);
    let (layer, mut reports) = observed(ExceptionLayer::new().on_any(move |_: Caught| {
        handling.fetch_add(1, Ordering::Relaxed);
        StatusCode::IM_A_TEAPOT
    }));
    let service = service_fn(move |_: Request<Incoming>| async move {
        Ok::<_, BoxError>(Response::new(first_then(end)))
    });
    let received = Server::start(layer.layer(service)).await.get("/").await;
    assert_eq!(handled.load(Ordering::Relaxed), 0, "a handler was called");
    let reports = reports.take().into_iter();
    let reports = reports.map(|report| (report.mechanism, report.phase, report.outcome));
    (received, reports.collect())
}

#[tokio::test]
async fn a_body_that_raises_is_aborted() {
    let (received, reports) = body_that(|| HttpException::gone("sold out").raise()).await;
    assert_eq!(received.status, StatusCode::OK);
    assert!(received.aborted);
    assert_eq!(
        reports,
        [(Mechanism::Raised, Phase::Body, Outcome::Aborted)]
    );
}

#[tokio::test]
async fn a_body_that_panics_is_aborted() {
    let (received, reports) = body_that(|| panic!("in the body")).await;
    assert!(received.aborted);
    assert_eq!(
        reports,
        [(Mechanism::Panicked, Phase::Body, Outcome::Aborted)]
    );
}

#[tokio::test]
async fn a_body_that_ends_in_an_error_is_aborted() {
    let (received, reports) = body_that(|| Err(Inner::default().into())).await;
    assert!(received.aborted);
    assert_eq!(
        reports,
        [(Mechanism::Returned, Phase::Body, Outcome::Aborted)]
    );
}

/// A service that has failed in `poll_ready`.
struct Broken {
    polls: Arc<AtomicUsize>,
}

impl Service<Request<()>> for Broken {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Err(Outer::of(Inner::default()).into()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        panic!("a broken service was called")
    }
}

/// Not over a socket: a server clones the service for each connection, and a clone is polled again.
#[tokio::test]
async fn every_request_to_a_broken_service_is_handled() {
    let polls = Arc::new(AtomicUsize::new(0));
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&calls);
    let layer = ExceptionLayer::new().on(move |inner: Caught<Inner>| {
        assert_eq!(inner.phase(), Phase::PollReady);
        let call = counting.fetch_add(1, Ordering::Relaxed);
        async move { HttpException::service_unavailable(format!("call {call}")) }
    });
    let mut service = layer.layer(Broken {
        polls: Arc::clone(&polls),
    });
    for call in 0..3 {
        let service = service.ready().await.unwrap();
        let response = service.call(Request::new(())).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body = http_body_util::BodyExt::collect(response.into_body()).await;
        let body = body.unwrap().to_bytes();
        assert_eq!(body, format!(r#"{{"detail":"call {call}"}}"#));
    }
    assert_eq!(polls.load(Ordering::Relaxed), 1);
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn an_attached_websocket_exception_is_handled() {
    let layer = ExceptionLayer::new().on(|_: Caught<WebSocketException>| StatusCode::IM_A_TEAPOT);
    let service = service_fn(|_: Request<Incoming>| async {
        let refused = WebSocketException::new(tower_exception::CloseCode::POLICY_VIOLATION);
        Ok::<Response<Full<Bytes>>, BoxError>(refused.into())
    });
    let received = Server::start(layer.layer(service)).await.get("/").await;
    assert_eq!(received.status, StatusCode::IM_A_TEAPOT);
}
