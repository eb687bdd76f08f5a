//! Too late for a handler, or too early for a service.

use std::{
    sync::{
        Arc, Mutex,
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
    Answer as Given, Caught, ExceptionLayer, How, HttpException, Place, WebSocketException,
};

use crate::support::*;

/// What a server sends first of a body, before `end` ends it.
async fn body_that(
    end: fn() -> Result<Frame<Bytes>, BoxError>,
) -> (Answer, Vec<(How, Place, Given)>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let handled = Arc::new(AtomicUsize::new(0));
    let handling = Arc::clone(&handled);
    let layer = ExceptionLayer::new()
        .on_any(move |_: Caught| {
            handling.fetch_add(1, Ordering::Relaxed);
            StatusCode::IM_A_TEAPOT
        })
        .observe(move |caught: &Caught, given: Given| {
            let entry = (caught.how(), caught.place(), given);
            telling.lock().unwrap().push(entry);
        });
    let service = service_fn(move |_: Request<Incoming>| async move {
        Ok::<_, BoxError>(Response::new(first_then(end)))
    });
    let answer = Server::start(layer.layer(service)).await.get("/").await;
    assert_eq!(handled.load(Ordering::Relaxed), 0, "a handler was called");
    let told = told.lock().unwrap().clone();
    (answer, told)
}

#[tokio::test]
async fn a_body_that_raises_is_cut_short() {
    let (answer, told) = body_that(|| HttpException::gone("sold out").raise()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.cut_short);
    assert_eq!(told, [(How::Raised, Place::Body, Given::CutShort)]);
}

#[tokio::test]
async fn a_body_that_panics_is_cut_short() {
    let (answer, told) = body_that(|| panic!("in the body")).await;
    assert!(answer.cut_short);
    assert_eq!(told, [(How::Panicked, Place::Body, Given::CutShort)]);
}

#[tokio::test]
async fn a_body_that_ends_in_an_error_is_cut_short() {
    let (answer, told) = body_that(|| Err(Inner::default().into())).await;
    assert!(answer.cut_short);
    assert_eq!(told, [(How::Returned, Place::Body, Given::CutShort)]);
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

/// Not over a socket: there every connection has a clone, which starts anew.
#[tokio::test]
async fn a_broken_service_is_answered_for_again_and_again() {
    let polls = Arc::new(AtomicUsize::new(0));
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&calls);
    let layer = ExceptionLayer::new().on(move |inner: Caught<Inner>| {
        assert_eq!(inner.place(), Place::Readiness);
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
async fn a_websocket_exception_attached_to_a_response_is_handled() {
    let layer = ExceptionLayer::new().on(|_: Caught<WebSocketException>| StatusCode::IM_A_TEAPOT);
    let service = service_fn(|_: Request<Incoming>| async {
        let refused = WebSocketException::new(tower_exception::CloseCode::POLICY_VIOLATION);
        Ok::<Response<Full<Bytes>>, BoxError>(refused.into())
    });
    let answer = Server::start(layer.layer(service)).await.get("/").await;
    assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
}
