//! Handlers that fail: the client receives the default 500, and both failures are reported once.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use tower::Layer;
use tower_exception::{
    Caught, ExceptionLayer, Handler, HttpException, Mechanism, Outcome, Phase, config::Configured,
    render::Rendered,
};

use crate::{every_way, start, support::*};

/// Handles the error of `/error` with `handler`, and returns the response and the reports.
async fn outcome<M>(handler: impl Handler<Inner, M>) -> (Received, Vec<Report>) {
    outcome_under(ExceptionLayer::new().on(handler)).await
}

/// Handles the error of `/error` under `layer`, and returns the response and the reports.
async fn outcome_under(layer: ExceptionLayer<Configured>) -> (Received, Vec<Report>) {
    let (layer, mut reports) = observed(layer);
    let server = start(layer.layer(every_way())).await;
    let received = server.get("/error").await;
    let reports = reports.take();
    // The server still works.
    assert_eq!(server.get("/").await.text(), "fine");
    (received, reports)
}

/// Asserts that the client received the default 500, and that `failure` of the handler and the
/// error to be handled were reported.
#[track_caller]
fn assert_failed(
    (received, reports): (Received, Vec<Report>),
    failure: &str,
    mechanism: Mechanism,
) {
    received.assert_default_500();
    let outcome = Outcome::Status(StatusCode::INTERNAL_SERVER_ERROR);
    let of_handler = Report::new(failure, mechanism, Phase::Handling, outcome);
    let of_error = Report::new(
        "Outer with a secret",
        Mechanism::Returned,
        Phase::Future,
        outcome,
    );
    assert_eq!(reports, [of_handler, of_error]);
}

#[tokio::test]
async fn a_sync_handler_that_panics_is_a_500() {
    let outcome = outcome(|_: Caught<Inner>| -> StatusCode { panic!("handler") }).await;
    assert_failed(outcome, "panicked: handler", Mechanism::Panicked);
}

#[tokio::test]
async fn a_sync_handler_that_raises_is_a_500() {
    let outcome = outcome(|_: Caught<Inner>| -> StatusCode { HttpException::gone("x").raise() });
    assert_failed(outcome.await, "410: x", Mechanism::Raised);
}

#[tokio::test]
async fn an_async_handler_that_panics_before_it_returns_its_future_is_a_500() {
    let outcome = outcome(|caught: Caught<Inner>| {
        assert!(caught.to_string().is_empty(), "too early");
        async { StatusCode::GONE }
    });
    assert_failed(outcome.await, "panicked: too early", Mechanism::Panicked);
}

#[tokio::test]
async fn an_async_handler_that_panics_at_once_is_a_500() {
    let outcome = outcome(async |_: Caught<Inner>| -> StatusCode { panic!("handler") });
    assert_failed(outcome.await, "panicked: handler", Mechanism::Panicked);
}

#[tokio::test]
async fn an_async_handler_that_panics_later_is_a_500() {
    let outcome = outcome(async |_: Caught<Inner>| -> StatusCode {
        tokio::task::yield_now().await;
        panic!("handler")
    });
    assert_failed(outcome.await, "panicked: handler", Mechanism::Panicked);
}

#[tokio::test]
async fn an_async_handler_that_raises_later_is_a_500() {
    let outcome = outcome(async |_: Caught<Inner>| -> StatusCode {
        tokio::task::yield_now().await;
        HttpException::gone("x").raise()
    });
    assert_failed(outcome.await, "410: x", Mechanism::Raised);
}

#[tokio::test]
async fn an_async_handler_that_raises_async_at_once_is_a_500() {
    let outcome = outcome(async |_: Caught<Inner>| -> StatusCode {
        HttpException::gone("x").raise_async().await
    });
    assert_failed(outcome.await, "410: x", Mechanism::RaisedAsync);
}

#[tokio::test]
async fn an_async_handler_that_raises_async_later_is_a_500() {
    let outcome = outcome(async |_: Caught<Inner>| -> StatusCode {
        tokio::task::yield_now().await;
        HttpException::gone("x").raise_async().await
    });
    assert_failed(outcome.await, "410: x", Mechanism::RaisedAsync);
}

#[tokio::test]
async fn no_other_handler_handles_the_failure_of_a_handler() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| -> StatusCode { HttpException::gone("x").raise() })
        .on(|_: Caught<HttpException>| StatusCode::IM_A_TEAPOT)
        .on_any(|_: Caught| StatusCode::IM_A_TEAPOT);
    assert_failed(outcome_under(layer).await, "410: x", Mechanism::Raised);
}

#[tokio::test]
async fn a_renderer_that_panics_on_a_reply_is_a_500() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| StatusCode::IM_A_TEAPOT)
        .with_renderer(|_: &HttpException, _: &Caught| -> Rendered { panic!("renderer") });
    let outcome = outcome_under(layer).await;
    assert_failed(outcome, "panicked: renderer", Mechanism::Panicked);
}

#[tokio::test]
async fn a_renderer_renders_the_exception_of_a_reply() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| HttpException::gone("sold out"))
        .with_renderer(|exception: &HttpException, caught: &Caught| {
            let text = format!("{} {exception}", caught.request().uri());
            Rendered::new(HeaderValue::from_static("text/plain"), text)
        });
    let (received, _) = outcome_under(layer).await;
    assert_eq!(received.status, StatusCode::GONE);
    assert_eq!(received.header("content-type"), Some("text/plain"));
    assert_eq!(received.text(), "/error 410: sold out");
}

#[tokio::test]
async fn an_async_handler_may_be_pending() {
    let (received, reports) = outcome(async |_: Caught<Inner>| {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        tokio::task::yield_now().await;
        Response::new(Full::<Bytes>::from("waited"))
    })
    .await;
    assert_eq!(received.text(), "waited");
    let [report] = &reports[..] else {
        panic!("{reports:?}")
    };
    assert_eq!(report.outcome, Outcome::Status(StatusCode::OK));
}

#[tokio::test]
async fn a_reply_whose_body_raises_is_aborted() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| Response::new(first_then(|| HttpException::gone("x").raise())));
    let (received, reports) = outcome_under(layer).await;
    assert_eq!(received.status, StatusCode::OK);
    assert!(received.aborted);
    let reports: Vec<_> = reports
        .iter()
        .map(|report| (report.mechanism, report.phase, report.outcome))
        .collect();
    assert_eq!(
        reports,
        [
            (
                Mechanism::Returned,
                Phase::Future,
                Outcome::Status(StatusCode::OK)
            ),
            (Mechanism::Raised, Phase::Body, Outcome::Aborted),
        ]
    );
}

/// The client disconnects while an async handler is pending.
#[tokio::test]
async fn a_handler_is_dropped_with_its_exchange() {
    use tower::{Service, service_fn};
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let sender = Arc::new(Mutex::new(Some(sender)));
    let layer = ExceptionLayer::new().on_any(move |_: Caught| {
        let sender = sender.lock().unwrap().take();
        async move {
            let _held = sender;
            std::future::pending::<StatusCode>().await
        }
    });
    let mut service = layer.layer(service_fn(async |_: http::Request<()>| {
        Err::<Response<Full<Bytes>>, BoxError>(Inner::default().into())
    }));
    let mut future = Box::pin(service.call(http::Request::new(())));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    drop(future);
    assert!(receiver.await.is_err());
}
