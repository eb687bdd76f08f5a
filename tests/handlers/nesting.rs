//! Nested layers: the default rendering of an inner layer is provisional, the reply of a handler is
//! final.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use tower::Layer;
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Outcome, config::Configured, render::Rendered,
};

use crate::{every_way, start, support::*};

/// Returns a handler that replies with the name of its layer and the outermost error.
fn by<E: ?Sized>(
    layer: &'static str,
) -> impl Fn(Caught<E>) -> HttpException + Send + Sync + Clone + 'static {
    move |caught| {
        let text = format!("{layer}: {}", caught.outermost());
        HttpException::new(StatusCode::IM_A_TEAPOT).with_detail(text)
    }
}

#[tokio::test]
async fn an_outer_layer_handles_failures_that_a_plain_inner_one_rendered() {
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
async fn an_outer_layer_handles_failures_that_no_inner_handler_matched() {
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
async fn the_reply_of_an_inner_handler_is_final() {
    let inner = ExceptionLayer::new()
        .on(by::<Inner>("inner"))
        .on(async |_: Caught<HttpException>| HttpException::gone("inner"));
    let outer = ExceptionLayer::new()
        .on_any(by("outer"))
        .on_status(StatusCode::GONE, by("outer"))
        .on_status(StatusCode::IM_A_TEAPOT, by("outer"))
        .on_status(StatusCode::NOT_FOUND, by("outer"));
    let server = start(outer.layer(inner.layer(every_way()))).await;
    let received = server.get("/error").await;
    received.assert_detail(418, "inner: Outer with a secret");
    for path in ["/returned", "/attached", "/raised"] {
        server.get(path).await.assert_detail(410, "inner");
    }
}

#[tokio::test]
async fn the_innermost_matching_handler_of_three_layers_replies() {
    let innermost = ExceptionLayer::new();
    let middle = ExceptionLayer::new().on(by::<Inner>("middle"));
    let outermost = ExceptionLayer::new()
        .on(by::<Outer>("outermost"))
        .on(by::<HttpException>("outermost"));
    let service = innermost.layer(every_way());
    let server = start(outermost.layer(middle.layer(service))).await;
    // The outermost layer has a handler for an error further out, but the middle one has replied.
    let received = server.get("/error").await;
    received.assert_detail(418, "middle: Outer with a secret");
    let received = server.get("/returned").await;
    received.assert_detail(418, "outermost: 404: Item not found");
    server.get("/panicked").await.assert_default_500();
}

#[tokio::test]
async fn three_layers_without_handlers_render_once() {
    let plain = ExceptionLayer::new();
    let server = start(plain.layer(plain.layer(plain.layer(every_way())))).await;
    server.get("/error").await.assert_default_500();
    let received = server.get("/raised").await;
    received.assert_detail(404, "Item not found");
}

#[tokio::test]
async fn headers_set_between_two_layers_stay_in_a_default_rendering() {
    use tower_http::set_header::SetResponseHeaderLayer;
    let renders = |exception: &HttpException, _: &Caught| {
        Rendered::new("text/plain".parse().unwrap(), exception.to_string())
    };
    let between = SetResponseHeaderLayer::overriding(
        http::HeaderName::from_static("x-between"),
        http::HeaderValue::from_static("between"),
    );
    let inner = ExceptionLayer::new().layer(every_way());
    let server = start(
        ExceptionLayer::new()
            .with_renderer(renders)
            .layer(between.layer(inner)),
    )
    .await;
    for (path, text) in [
        ("/raised", "404: Item not found"),
        ("/error", "500: Internal Server Error"),
    ] {
        let received = server.get(path).await;
        assert_eq!(received.text(), text);
        assert_eq!(received.header("content-type"), Some("text/plain"));
        assert_eq!(received.header("x-between"), Some("between"));
    }
}

#[tokio::test]
async fn observers_of_every_layer_get_reports_until_a_reply_is_final() {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let observed = |name: &'static str, layer: ExceptionLayer<Configured>| {
        let reports = Arc::clone(&reports);
        layer.observe(move |caught: &Caught, outcome: Outcome| {
            let Outcome::Status(status) = outcome else {
                panic!("aborted")
            };
            let entry = format!("{name}: {caught} -> {}", status.as_u16());
            reports.lock().unwrap().push(entry);
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
        *reports.lock().unwrap(),
        [
            "inner: 404: Item not found -> 418",
            "middle: 404: Item not found -> 418",
            "inner: panicked: at the disco -> 500",
            "middle: panicked: at the disco -> 500",
            "outer: panicked: at the disco -> 500",
        ]
    );
}

/// Not over a socket: extensions are not sent.
#[tokio::test]
async fn a_provisional_rendering_attaches_the_exception_only_below_a_layer() {
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
