//! Which handler answers.

use std::panic::panic_any;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tower::{Layer, service_fn};
use tower_exception::{
    Caught, CloseCode, Exception, ExceptionLayer, HttpException, Panic, WebSocketException,
};

use crate::{answer_to, missing, serve, support::*};

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
async fn the_type_is_read_off_a_closures_argument() {
    let layer = ExceptionLayer::new().on(|_: Caught<Inner>| teapot("closure"));
    let answer = answer_to(layer, || Inner::default().into()).await;
    answer.assert_detail(418, "closure");
}

#[tokio::test]
async fn the_type_is_read_off_the_argument_of_a_closure_that_gives_a_future() {
    let layer = ExceptionLayer::new().on(|_: Caught<Inner>| async { teapot("future") });
    let answer = answer_to(layer, || Inner::default().into()).await;
    answer.assert_detail(418, "future");
}

#[tokio::test]
async fn the_type_is_read_off_an_async_closures_argument() {
    let layer = ExceptionLayer::new().on(async |_: Caught<Inner>| teapot("async closure"));
    let answer = answer_to(layer, || Inner::default().into()).await;
    answer.assert_detail(418, "async closure");
}

#[tokio::test]
async fn the_type_is_read_off_a_functions_argument() {
    let answer = answer_to(ExceptionLayer::new().on(sync_fn), || {
        Inner::default().into()
    })
    .await;
    answer.assert_detail(418, "sync fn");
}

#[tokio::test]
async fn the_type_is_read_off_an_async_functions_argument() {
    let answer = answer_to(ExceptionLayer::new().on(async_fn), || {
        Inner::default().into()
    })
    .await;
    answer.assert_detail(418, "async fn");
}

#[tokio::test]
async fn a_handler_for_another_type_does_not_answer() {
    let layer = ExceptionLayer::new().on(|_: Caught<Other>| teapot("other"));
    let answer = answer_to(layer, || Inner::default().into()).await;
    answer.assert_default_500();
}

#[tokio::test]
async fn the_outermost_error_comes_first_in_whatever_order_they_were_registered() {
    let inner = |_: Caught<Inner>| teapot("inner");
    let outer = |_: Caught<Outer>| teapot("outer");
    for layer in [
        ExceptionLayer::new().on(inner).on(outer),
        ExceptionLayer::new().on(outer).on(inner),
    ] {
        let answer = answer_to(layer, || Outer::of(Inner::default()).into()).await;
        answer.assert_detail(418, "outer");
    }
}

#[tokio::test]
async fn a_source_is_handled_where_nothing_outside_of_it_is() {
    let layer = ExceptionLayer::new().on(|_: Caught<Inner>| teapot("inner"));
    let answer = answer_to(layer, || {
        Other::of(std::io::Error::other(Outer::of(Inner::default()))).into()
    });
    answer.await.assert_detail(418, "inner");
}

#[tokio::test]
async fn an_error_behind_an_exception_does_not_hijack_it() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| teapot("hijacked"))
        .on(|_: Caught<Outer>| teapot("hijacked"));
    let answer = answer_to(layer, || {
        missing().with_source(Outer::of(Inner::default())).into()
    });
    answer.await.assert_detail(404, "Item not found");
}

#[tokio::test]
async fn an_exception_behind_an_exception_does_not_hijack_it() {
    let layer = ExceptionLayer::new()
        .on_status(StatusCode::GONE, |_: Caught<HttpException>| teapot("no"))
        .on(|_: Caught<WebSocketException>| teapot("no"));
    let answer = answer_to(layer.clone(), || {
        missing()
            .with_source(HttpException::gone("sold out"))
            .into()
    });
    answer.await.assert_detail(404, "Item not found");
    let answer = answer_to(layer, || {
        let behind = WebSocketException::new(CloseCode::POLICY_VIOLATION);
        missing().with_source(behind).into()
    });
    answer.await.assert_detail(404, "Item not found");
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
    answer_to(any, error).await.assert_detail(418, "any");
    answer_to(typed, error).await.assert_detail(418, "type");
    answer_to(by_status, error)
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
    let answer = answer_to(layer, || Outer::of(missing()).into()).await;
    answer.assert_detail(418, "404: Item not found");
}

#[tokio::test]
async fn a_handler_for_a_status_answers_no_other() {
    let layer = ExceptionLayer::new()
        .on_status(StatusCode::GONE, |_: Caught<HttpException>| teapot("gone"))
        .on_status(StatusCode::CONFLICT, |_: Caught<HttpException>| {
            teapot("conflict")
        });
    let answer = answer_to(layer.clone(), || missing().into()).await;
    answer.assert_detail(404, "Item not found");
    let answer = answer_to(layer, || HttpException::conflict("twice").into()).await;
    answer.assert_detail(418, "conflict");
}

#[tokio::test]
async fn the_status_of_what_the_layer_makes_of_an_error_is_no_exceptions() {
    let layer = ExceptionLayer::new().on_status(
        StatusCode::INTERNAL_SERVER_ERROR,
        |_: Caught<HttpException>| teapot("status"),
    );
    let answer = answer_to(layer, || Inner::default().into()).await;
    answer.assert_default_500();
}

#[tokio::test]
async fn a_handler_hears_of_its_exception_whichever_way_it_came() {
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
        let answer = server.get(way).await;
        assert_eq!(
            answer.text(),
            r#"{"detail":"404: Item not found"}"#,
            "{way}"
        );
        assert_eq!(answer.status, 418, "{way}");
    }
    let answer = server.get("/").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "fine"));
}

#[tokio::test]
async fn both_kinds_of_exception_are_handled_as_either() {
    let layer = ExceptionLayer::new().on(|exception: Caught<Exception>| match &*exception {
        Exception::Http(_) => teapot("http"),
        Exception::WebSocket(_) => teapot("websocket"),
    });
    let answer = answer_to(layer.clone(), || missing().into()).await;
    answer.assert_detail(418, "http");
    let answer = answer_to(layer, || {
        WebSocketException::new(CloseCode::POLICY_VIOLATION).into()
    });
    answer.await.assert_detail(418, "websocket");
}

#[tokio::test]
async fn a_websocket_exception_has_handlers_of_its_own() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<HttpException>| teapot("http"))
        .on(|exception: Caught<WebSocketException>| {
            teapot("").with_detail(exception.reason().to_owned())
        });
    let answer = answer_to(layer, || {
        WebSocketException::new(CloseCode::POLICY_VIOLATION)
            .with_reason("no token")
            .into()
    });
    answer.await.assert_detail(418, "no token");
}

async fn answer_to_panic(panic: fn()) -> Answer {
    let layer = ExceptionLayer::new()
        .on_panic(|panic: Caught<Panic>| teapot("").with_detail(format!("{:?}", panic.message())));
    let service = service_fn(move |_: Request<Incoming>| async move {
        panic();
        Ok::<_, BoxError>(Response::new(Body::default()))
    });
    Server::start(layer.layer(service)).await.get("/").await
}

#[tokio::test]
async fn a_panic_with_a_literal() {
    let answer = answer_to_panic(|| panic!("literal")).await;
    answer.assert_detail(418, r#"Some("literal")"#);
}

#[tokio::test]
async fn a_panic_with_a_formatted_message() {
    let answer = answer_to_panic(|| panic!("number {}", "0".len())).await;
    answer.assert_detail(418, r#"Some("number 1")"#);
}

#[tokio::test]
async fn a_panic_with_another_payload() {
    answer_to_panic(|| panic_any(42))
        .await
        .assert_detail(418, "None");
}

#[tokio::test]
async fn an_exception_that_unwinds_is_no_panic() {
    let server = serve(ExceptionLayer::new().on_panic(|_: Caught<Panic>| teapot("panic"))).await;
    for way in ["/raised", "/panicked-with-an-exception"] {
        let answer = server.get(way).await;
        answer.assert_detail(404, "Item not found");
    }
    server.get("/panicked").await.assert_detail(418, "panic");
}

#[tokio::test]
async fn any_is_errors_exceptions_and_panics() {
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
async fn of_two_handlers_for_the_same_the_later_wins() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| teapot("earlier"))
        .on(|_: Caught<Other>| teapot("other"))
        .on(|_: Caught<Inner>| async { teapot("later") });
    let answer = answer_to(layer.clone(), || Inner::default().into()).await;
    answer.assert_detail(418, "later");
    let answer = answer_to(layer, || Other::default().into()).await;
    answer.assert_detail(418, "other");
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
    let answer = answer_to(layer, || missing().into()).await;
    answer.assert_detail(418, "2");
}

#[tokio::test]
async fn of_two_handlers_for_anything_the_later_wins() {
    let layer = ExceptionLayer::new()
        .on_any(|_: Caught| teapot("1"))
        .on_any(|_: Caught| teapot("2"));
    let answer = answer_to(layer, || Inner::default().into()).await;
    answer.assert_detail(418, "2");
}

#[tokio::test]
async fn a_layer_that_was_cloned_does_not_hear_of_its_clones_handlers() {
    let layer = ExceptionLayer::new().on(|_: Caught<Inner>| teapot("inner"));
    let _more = layer.clone().on_any(|_: Caught| teapot("any"));
    let answer = answer_to(layer, || Other::default().into()).await;
    answer.assert_default_500();
}
