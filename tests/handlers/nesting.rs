//! Layers in layers: what an inner one answers by default is provisional, what a handler answered is final.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use tower::Layer;
use tower_exception::{
    Answer as Given, Caught, Custom, ExceptionLayer, HttpException, RequestHead, render::Rendered,
};

use crate::{every_way, start, support::*};

/// A handler that answers with what it was given, and the name of its layer.
fn by<E: ?Sized>(
    layer: &'static str,
) -> impl Fn(Caught<E>) -> HttpException + Send + Sync + Clone + 'static {
    move |caught| {
        let text = format!("{layer}: {}", caught.outermost());
        HttpException::new(StatusCode::IM_A_TEAPOT).with_detail(text)
    }
}

#[tokio::test]
async fn an_outer_layer_handles_what_a_plain_inner_one_has_answered() {
    let outer = ExceptionLayer::new()
        .on(by::<Inner>("outer"))
        .on(by::<HttpException>("outer"))
        .on_panic(by("outer"));
    let server = start(outer.layer(ExceptionLayer::new().layer(every_way()))).await;
    for (path, text) in [
        ("/error", "outer: Outer with a secret"),
        ("/inside-an-error", "outer: Outer with a secret"),
        ("/panicked", "outer: panicked: at the disco"),
        ("/returned", "outer: 404: Item not found"),
        ("/attached", "outer: 404: Item not found"),
        ("/raised", "outer: 404: Item not found"),
        ("/raised-async", "outer: 404: Item not found"),
        ("/call", "outer: 404: Item not found"),
    ] {
        server.get(path).await.assert_detail(418, text);
    }
}

#[tokio::test]
async fn an_outer_layer_handles_what_no_handler_of_a_custom_inner_one_has() {
    let inner = ExceptionLayer::new().on(by::<Other>("inner"));
    let outer = ExceptionLayer::new().on_any(by("outer"));
    let server = start(outer.layer(inner.layer(every_way()))).await;
    for (path, text) in [
        ("/error", "outer: Outer with a secret"),
        ("/panicked", "outer: panicked: at the disco"),
        ("/raised", "outer: 404: Item not found"),
    ] {
        server.get(path).await.assert_detail(418, text);
    }
}

#[tokio::test]
async fn what_a_handler_answered_is_final() {
    let inner = ExceptionLayer::new()
        .on(by::<Inner>("inner"))
        .on(async |_: Caught<HttpException>| HttpException::gone("inner"));
    let outer = ExceptionLayer::new()
        .on_any(by("outer"))
        .on_status(StatusCode::GONE, by("outer"))
        .on_status(StatusCode::IM_A_TEAPOT, by("outer"))
        .on_status(StatusCode::NOT_FOUND, by("outer"));
    let server = start(outer.layer(inner.layer(every_way()))).await;
    let answer = server.get("/error").await;
    answer.assert_detail(418, "inner: Outer with a secret");
    for path in ["/returned", "/attached", "/raised"] {
        server.get(path).await.assert_detail(410, "inner");
    }
}

#[tokio::test]
async fn of_three_layers_the_innermost_that_has_a_handler_answers() {
    let innermost = ExceptionLayer::new();
    let middle = ExceptionLayer::new().on(by::<Inner>("middle"));
    let outermost = ExceptionLayer::new()
        .on(by::<Outer>("outermost"))
        .on(by::<HttpException>("outermost"));
    let service = innermost.layer(every_way());
    let server = start(outermost.layer(middle.layer(service))).await;
    // The outermost has a handler for an error further out: too late.
    let answer = server.get("/error").await;
    answer.assert_detail(418, "middle: Outer with a secret");
    let answer = server.get("/returned").await;
    answer.assert_detail(418, "outermost: 404: Item not found");
    server.get("/panicked").await.assert_default_500();
}

#[tokio::test]
async fn three_layers_of_which_none_has_a_handler() {
    let plain = ExceptionLayer::new();
    let server = start(plain.layer(plain.layer(plain.layer(every_way())))).await;
    server.get("/error").await.assert_default_500();
    let answer = server.get("/raised").await;
    answer.assert_detail(404, "Item not found");
}

#[tokio::test]
async fn headers_that_were_set_between_two_layers_are_kept_by_a_default_answer() {
    use tower_http::set_header::SetResponseHeaderLayer;
    let renders = |exception: &HttpException, _: &RequestHead| {
        Rendered::new("text/plain".parse().unwrap(), exception.to_string())
    };
    let between = SetResponseHeaderLayer::overriding(
        http::HeaderName::from_static("x-between"),
        http::HeaderValue::from_static("kept"),
    );
    let inner = ExceptionLayer::new().layer(every_way());
    let server = start(
        ExceptionLayer::new()
            .render(renders)
            .layer(between.layer(inner)),
    )
    .await;
    for (path, text) in [
        ("/raised", "404: Item not found"),
        ("/error", "500: Internal Server Error"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.text(), text);
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        assert_eq!(answer.header("x-between"), Some("kept"));
    }
}

#[tokio::test]
async fn every_layers_observers_hear_until_it_is_final() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let observed = |name: &'static str, layer: ExceptionLayer<Custom>| {
        let told = Arc::clone(&told);
        layer.observe(move |caught: &Caught, given: Given| {
            let Given::Status(status) = given else {
                panic!("cut short")
            };
            let entry = format!("{name}: {caught} -> {}", status.as_u16());
            told.lock().unwrap().push(entry);
        })
    };
    let silent = || ExceptionLayer::new().capture_headers();
    let inner = observed("inner", silent());
    let middle = observed("middle", silent().on(by::<HttpException>("middle")));
    let outer = observed("outer", silent());
    let server = start(outer.layer(middle.layer(inner.layer(every_way())))).await;
    server.get("/raised").await;
    server.get("/panicked").await;
    assert_eq!(
        *told.lock().unwrap(),
        [
            "inner: 404: Item not found -> 404",
            "middle: 404: Item not found -> 418",
            "inner: panicked: at the disco -> 500",
            "middle: panicked: at the disco -> 500",
            "outer: panicked: at the disco -> 500",
        ]
    );
}

/// Not over a socket: extensions do not leave the process.
#[tokio::test]
async fn what_is_provisional_is_attached_only_where_a_layer_is_further_out() {
    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Full;
    use tower::{Service, ServiceExt, service_fn};

    fn is_attached<B>(response: &Response<B>) -> bool {
        response.extensions().get::<HttpException>().is_some()
    }
    let failing = service_fn(async |_: Request<()>| {
        Err::<Response<Full<Bytes>>, BoxError>(HttpException::gone("sold out").into())
    });
    let inner = ExceptionLayer::new().capture_headers().layer(failing);
    let response = inner.clone().oneshot(Request::new(())).await.unwrap();
    assert!(!is_attached(&response));

    let between = service_fn(move |request| {
        let mut inner = inner.clone();
        async move {
            let response = inner.ready().await?.call(request).await?;
            assert!(is_attached(&response));
            Ok::<_, BoxError>(response)
        }
    });
    let outer = ExceptionLayer::new().layer(between);
    let response = outer.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), StatusCode::GONE);
}
