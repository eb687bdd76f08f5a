//! Selection of the handler for a failure.

use std::panic::panic_any;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tower::{Layer, service_fn};
use tower_exception::{
    Caught, CloseCode, Exception, ExceptionLayer, HttpException, Panic, WebSocketException,
};

use crate::{missing, response_to, serve, support::*};

type Body = http_body_util::Full<bytes::Bytes>;

fn teapot(detail: &'static str) -> HttpException {
    HttpException::new(StatusCode::IM_A_TEAPOT).with_detail(detail)
}

fn sync_fn(_: Caught<Inner>) -> HttpException {
    teapot("sync fn")
}

async fn async_fn(_: Caught<Inner>) -> HttpException {
    teapot("async fn")
}

#[tokio::test]
async fn the_argument_of_a_closure_selects_the_type() {
    let layer = ExceptionLayer::new().on(|_: Caught<Inner>| teapot("closure"));
    let received = response_to(layer, || Inner::default().into()).await;
    received.assert_detail(418, "closure");
}

#[tokio::test]
async fn the_argument_of_a_closure_that_returns_a_future_selects_the_type() {
    let layer = ExceptionLayer::new().on(|_: Caught<Inner>| async { teapot("future") });
    let received = response_to(layer, || Inner::default().into()).await;
    received.assert_detail(418, "future");
}

#[tokio::test]
async fn the_argument_of_an_async_closure_selects_the_type() {
    let layer = ExceptionLayer::new().on(async |_: Caught<Inner>| teapot("async closure"));
    let received = response_to(layer, || Inner::default().into()).await;
    received.assert_detail(418, "async closure");
}

#[tokio::test]
async fn the_argument_of_a_function_selects_the_type() {
    let received = response_to(ExceptionLayer::new().on(sync_fn), || {
        Inner::default().into()
    })
    .await;
    received.assert_detail(418, "sync fn");
}

#[tokio::test]
async fn the_argument_of_an_async_function_selects_the_type() {
    let received = response_to(ExceptionLayer::new().on(async_fn), || {
        Inner::default().into()
    })
    .await;
    received.assert_detail(418, "async fn");
}

#[tokio::test]
async fn a_handler_for_another_type_is_not_called() {
    let layer = ExceptionLayer::new().on(|_: Caught<Other>| teapot("other"));
    let received = response_to(layer, || Inner::default().into()).await;
    received.assert_default_500();
}

#[tokio::test]
async fn the_outermost_error_is_handled_first_in_any_order_of_registration() {
    let inner = |_: Caught<Inner>| teapot("inner");
    let outer = |_: Caught<Outer>| teapot("outer");
    for layer in [
        ExceptionLayer::new().on(inner).on(outer),
        ExceptionLayer::new().on(outer).on(inner),
    ] {
        let received = response_to(layer, || Outer::of(Inner::default()).into()).await;
        received.assert_detail(418, "outer");
    }
}

#[tokio::test]
async fn a_source_is_handled_if_no_error_outside_of_it_is() {
    let layer = ExceptionLayer::new().on(|_: Caught<Inner>| teapot("inner"));
    let received = response_to(layer, || {
        Other::of(std::io::Error::other(Outer::of(Inner::default()))).into()
    });
    received.await.assert_detail(418, "inner");
}

#[tokio::test]
async fn an_error_below_an_exception_does_not_hijack_it() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| teapot("hijacked"))
        .on(|_: Caught<Outer>| teapot("hijacked"));
    let received = response_to(layer, || {
        missing().with_source(Outer::of(Inner::default())).into()
    });
    received.await.assert_detail(404, "Item not found");
}

#[tokio::test]
async fn an_exception_below_an_exception_does_not_hijack_it() {
    let layer = ExceptionLayer::new()
        .on_status(StatusCode::GONE, |_: Caught<HttpException>| teapot("no"))
        .on(|_: Caught<WebSocketException>| teapot("no"));
    let received = response_to(layer.clone(), || {
        missing()
            .with_source(HttpException::gone("sold out"))
            .into()
    });
    received.await.assert_detail(404, "Item not found");
    let received = response_to(layer, || {
        let source = WebSocketException::new(CloseCode::POLICY_VIOLATION);
        missing().with_source(source).into()
    });
    received.await.assert_detail(404, "Item not found");
}

#[tokio::test]
async fn status_comes_before_type_and_type_before_any() {
    let any = ExceptionLayer::new().on_any(|_: Caught| teapot("any"));
    let typed = any.clone().on(|_: Caught<HttpException>| teapot("type"));
    let by_status = typed
        .clone()
        .on_status(StatusCode::NOT_FOUND, |_: Caught<HttpException>| {
            teapot("status")
        });
    let error = || missing().into();
    response_to(any, error).await.assert_detail(418, "any");
    response_to(typed, error).await.assert_detail(418, "type");
    response_to(by_status, error)
        .await
        .assert_detail(418, "status");
}

#[tokio::test]
async fn status_comes_before_the_type_of_an_error_further_out() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Outer>| teapot("type"))
        .on_status(StatusCode::NOT_FOUND, |exception: Caught<HttpException>| {
            teapot("status").with_detail(exception.to_string())
        });
    let received = response_to(layer, || Outer::of(missing()).into()).await;
    received.assert_detail(418, "404: Item not found");
}

#[tokio::test]
async fn a_handler_for_a_status_handles_no_other_status() {
    let layer = ExceptionLayer::new()
        .on_status(StatusCode::GONE, |_: Caught<HttpException>| teapot("gone"))
        .on_status(StatusCode::CONFLICT, |_: Caught<HttpException>| {
            teapot("conflict")
        });
    let received = response_to(layer.clone(), || missing().into()).await;
    received.assert_detail(404, "Item not found");
    let received = response_to(layer, || HttpException::conflict("twice").into()).await;
    received.assert_detail(418, "conflict");
}

#[tokio::test]
async fn the_default_status_of_an_error_selects_a_handler_after_those_for_its_type() {
    let layer = ExceptionLayer::new().on_status(
        StatusCode::INTERNAL_SERVER_ERROR,
        |_: Caught<HttpException>| teapot("status"),
    );
    let received = response_to(layer.clone(), || Inner::default().into()).await;
    received.assert_detail(418, "status");
    let layer = layer.on(|_: Caught<Inner>| teapot("type"));
    let received = response_to(layer, || Inner::default().into()).await;
    received.assert_detail(418, "type");
}

#[tokio::test]
async fn a_handler_gets_its_exception_by_every_mechanism() {
    let server = serve(
        ExceptionLayer::new().on_status(StatusCode::NOT_FOUND, |e: Caught<HttpException>| {
            teapot("").with_detail(e.to_string())
        }),
    )
    .await;
    for way in [
        "/call",
        "/returned",
        "/attached",
        "/raised",
        "/raised-async",
        "/panicked-with-an-exception",
        "/inside-an-error",
    ] {
        let received = server.get(way).await;
        assert_eq!(
            received.text(),
            r#"{"detail":"404: Item not found"}"#,
            "{way}"
        );
        assert_eq!(received.status, 418, "{way}");
    }
    let received = server.get("/").await;
    assert_eq!((received.status.as_u16(), received.text()), (200, "fine"));
}

#[tokio::test]
async fn a_handler_for_exception_gets_both_kinds() {
    let layer = ExceptionLayer::new().on(|exception: Caught<Exception>| match &*exception {
        Exception::Http(_) => teapot("http"),
        Exception::WebSocket(_) => teapot("websocket"),
        other => unreachable!("{other}"),
    });
    let received = response_to(layer.clone(), || missing().into()).await;
    received.assert_detail(418, "http");
    let received = response_to(layer, || {
        WebSocketException::new(CloseCode::POLICY_VIOLATION).into()
    });
    received.await.assert_detail(418, "websocket");
}

#[tokio::test]
async fn a_websocket_exception_has_handlers_of_its_own() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<HttpException>| teapot("http"))
        .on(|exception: Caught<WebSocketException>| {
            teapot("").with_detail(exception.reason().to_owned())
        });
    let received = response_to(layer, || {
        WebSocketException::new(CloseCode::POLICY_VIOLATION)
            .with_reason("no token")
            .into()
    });
    received.await.assert_detail(418, "no token");
}

async fn response_to_panic(panic: fn()) -> Received {
    let layer = ExceptionLayer::new()
        .on_panic(|panic: Caught<Panic>| teapot("").with_detail(format!("{:?}", panic.message())));
    let service = service_fn(move |_: Request<Incoming>| async move {
        panic();
        Ok::<_, BoxError>(Response::new(Body::default()))
    });
    Server::start(layer.layer(service)).await.get("/").await
}

#[tokio::test]
async fn a_panic_with_a_literal_has_a_message() {
    let received = response_to_panic(|| panic!("literal")).await;
    received.assert_detail(418, r#"Some("literal")"#);
}

#[tokio::test]
async fn a_panic_with_a_formatted_text_has_a_message() {
    let received = response_to_panic(|| panic!("number {}", "0".len())).await;
    received.assert_detail(418, r#"Some("number 1")"#);
}

#[tokio::test]
async fn a_panic_with_another_payload_has_no_message() {
    response_to_panic(|| panic_any(42))
        .await
        .assert_detail(418, "None");
}

#[tokio::test]
async fn a_raised_exception_is_no_panic() {
    let server = serve(ExceptionLayer::new().on_panic(|_: Caught<Panic>| teapot("panic"))).await;
    for way in ["/raised", "/panicked-with-an-exception"] {
        let received = server.get(way).await;
        received.assert_detail(404, "Item not found");
    }
    server.get("/panicked").await.assert_detail(418, "panic");
}

#[tokio::test]
async fn on_any_handles_errors_exceptions_and_panics() {
    let server = serve(
        ExceptionLayer::new().on_any(|caught: Caught| teapot("").with_detail(caught.to_string())),
    )
    .await;
    for (way, text) in [
        ("/error", "Outer with a secret"),
        ("/returned", "404: Item not found"),
        ("/panicked", "panicked: at the disco"),
    ] {
        server.get(way).await.assert_detail(418, text);
    }
}

#[tokio::test]
async fn of_two_handlers_for_a_type_the_later_wins() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| teapot("earlier"))
        .on(|_: Caught<Other>| teapot("other"))
        .on(|_: Caught<Inner>| async { teapot("later") });
    let received = response_to(layer.clone(), || Inner::default().into()).await;
    received.assert_detail(418, "later");
    let received = response_to(layer, || Other::default().into()).await;
    received.assert_detail(418, "other");
}

#[tokio::test]
async fn of_two_handlers_for_a_status_the_later_wins() {
    let layer = ExceptionLayer::new()
        .on_status(StatusCode::NOT_FOUND, |_: Caught<HttpException>| {
            teapot("1")
        })
        .on_status(StatusCode::NOT_FOUND, |_: Caught<HttpException>| {
            teapot("2")
        });
    let received = response_to(layer, || missing().into()).await;
    received.assert_detail(418, "2");
}

#[tokio::test]
async fn of_two_handlers_for_anything_the_later_wins() {
    let layer = ExceptionLayer::new()
        .on_any(|_: Caught| teapot("1"))
        .on_any(|_: Caught| teapot("2"));
    let received = response_to(layer, || Inner::default().into()).await;
    received.assert_detail(418, "2");
}

#[tokio::test]
async fn a_handler_of_a_clone_does_not_apply_to_the_original() {
    let layer = ExceptionLayer::new().on(|_: Caught<Inner>| teapot("inner"));
    let _more = layer.clone().on_any(|_: Caught| teapot("any"));
    let received = response_to(layer, || Other::default().into()).await;
    received.assert_default_500();
}

#[tokio::test]
async fn a_status_may_be_a_number() {
    let layer = ExceptionLayer::new().on_status(404, |_: Caught<HttpException>| teapot("number"));
    let received = response_to(layer, || missing().into()).await;
    received.assert_detail(418, "number");
}
