//! Handlers that fail: the default 500, once, and the observer hears of both.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use tower::Layer;
use tower_exception::{
    Answer as Given, Caught, Custom, ExceptionLayer, Handler, How, HttpException, Place,
    RequestHead, render::Rendered,
};

use crate::{every_way, start, support::*};

/// What an observer was told, in order.
type Told = Vec<(String, How, Place, Given)>;

/// What comes of a `handler` for the error of `/error`, and what an observer is told.
async fn outcome<M>(handler: impl Handler<Inner, M>) -> (Answer, Told) {
    outcome_under(ExceptionLayer::new().on(handler)).await
}

async fn outcome_under(layer: ExceptionLayer<Custom>) -> (Answer, Told) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let layer = layer.observe(move |caught: &Caught, given: Given| {
        let entry = (caught.to_string(), caught.how(), caught.place(), given);
        telling.lock().unwrap().push(entry);
    });
    let server = start(layer.layer(every_way())).await;
    let answer = server.get("/error").await;
    let told = told.lock().unwrap().clone();
    // The server is none the worse for it.
    assert_eq!(server.get("/").await.text(), "fine");
    (answer, told)
}

/// Asserts that the client was given the default 500, and that the observer heard of `raised` and of the
/// error that was to be answered.
#[track_caller]
fn assert_failed((answer, told): (Answer, Told), raised: &str, how: How) {
    answer.assert_default_500();
    let status = Given::Status(StatusCode::INTERNAL_SERVER_ERROR);
    let of_handler = (raised.to_owned(), how, Place::Answer, status);
    let of_error = (
        "Outer with a secret".to_owned(),
        How::Returned,
        Place::Future,
        status,
    );
    assert_eq!(told, [of_handler, of_error]);
}

#[tokio::test]
async fn a_sync_handler_panics() {
    let outcome = outcome(|_: Caught<Inner>| -> StatusCode { panic!("handler") }).await;
    assert_failed(outcome, "panicked: handler", How::Panicked);
}

#[tokio::test]
async fn a_sync_handler_raises() {
    let outcome = outcome(|_: Caught<Inner>| -> StatusCode { HttpException::gone("x").raise() });
    assert_failed(outcome.await, "410: x", How::Raised);
}

#[tokio::test]
async fn what_gives_an_async_handlers_future_panics() {
    let outcome = outcome(|caught: Caught<Inner>| {
        assert!(caught.to_string().is_empty(), "too early");
        async { StatusCode::GONE }
    });
    assert_failed(outcome.await, "panicked: too early", How::Panicked);
}

#[tokio::test]
async fn an_async_handler_panics_before_it_waits() {
    let outcome = outcome(async |_: Caught<Inner>| -> StatusCode { panic!("handler") });
    assert_failed(outcome.await, "panicked: handler", How::Panicked);
}

#[tokio::test]
async fn an_async_handler_panics_after_it_waited() {
    let outcome = outcome(async |_: Caught<Inner>| -> StatusCode {
        tokio::task::yield_now().await;
        panic!("handler")
    });
    assert_failed(outcome.await, "panicked: handler", How::Panicked);
}

#[tokio::test]
async fn an_async_handler_raises_after_it_waited() {
    let outcome = outcome(async |_: Caught<Inner>| -> StatusCode {
        tokio::task::yield_now().await;
        HttpException::gone("x").raise()
    });
    assert_failed(outcome.await, "410: x", How::Raised);
}

#[tokio::test]
async fn an_async_handler_raises_async() {
    let outcome = outcome(async |_: Caught<Inner>| -> StatusCode {
        HttpException::gone("x").raise_async().await
    });
    assert_failed(outcome.await, "410: x", How::RaisedAsync);
}

#[tokio::test]
async fn an_async_handler_raises_async_after_it_waited() {
    let outcome = outcome(async |_: Caught<Inner>| -> StatusCode {
        tokio::task::yield_now().await;
        HttpException::gone("x").raise_async().await
    });
    assert_failed(outcome.await, "410: x", How::RaisedAsync);
}

#[tokio::test]
async fn another_handler_does_not_answer_for_one_that_raises() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| -> StatusCode { HttpException::gone("x").raise() })
        .on(|_: Caught<HttpException>| StatusCode::IM_A_TEAPOT)
        .on_any(|_: Caught| StatusCode::IM_A_TEAPOT);
    assert_failed(outcome_under(layer).await, "410: x", How::Raised);
}

#[tokio::test]
async fn a_renderer_fails_with_what_a_handler_replied() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| StatusCode::IM_A_TEAPOT)
        .render(|_: &HttpException, _: &RequestHead| -> Rendered { panic!("renderer") });
    let outcome = outcome_under(layer).await;
    assert_failed(outcome, "panicked: renderer", How::Panicked);
}

#[tokio::test]
async fn a_renderer_gives_the_form_to_what_a_handler_replied() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| HttpException::gone("sold out"))
        .render(|exception: &HttpException, request: &RequestHead| {
            let text = format!("{} {exception}", request.uri());
            Rendered::new(HeaderValue::from_static("text/plain"), text)
        });
    let (answer, _) = outcome_under(layer).await;
    assert_eq!(answer.status, StatusCode::GONE);
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.text(), "/error 410: sold out");
}

#[tokio::test]
async fn an_async_handler_that_has_to_wait_answers() {
    let (answer, told) = outcome(async |_: Caught<Inner>| {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        tokio::task::yield_now().await;
        Response::new(Full::<Bytes>::from("waited"))
    })
    .await;
    assert_eq!(answer.text(), "waited");
    let [(_, _, _, given)] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(*given, Given::Status(StatusCode::OK));
}

#[tokio::test]
async fn the_body_of_a_handlers_response_raises() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| Response::new(first_then(|| HttpException::gone("x").raise())));
    let (answer, told) = outcome_under(layer).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.cut_short);
    let given: Vec<_> = told
        .iter()
        .map(|(_, how, place, given)| (how, place, given))
        .collect();
    assert_eq!(
        given,
        [
            (
                &How::Returned,
                &Place::Future,
                &Given::Status(StatusCode::OK)
            ),
            (&How::Raised, &Place::Body, &Given::CutShort),
        ]
    );
}

/// A client that goes away while an async handler waits.
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
