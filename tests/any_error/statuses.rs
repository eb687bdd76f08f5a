//! Handlers for the status that a failure has by default.

use std::{io, sync::Mutex};

use axum::{Router, routing::get};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use http_body_util::LengthLimitError;
use tower::load_shed::error::Overloaded;
use tower_exception::{Caught, ExceptionLayer, HttpException, Panic};

use crate::{
    shop::{OrderError, ShopError, disk, elapsed, returning, sold_out, taken},
    support::{PROTOCOLS, SECRET_TEXT, Server},
};

fn too_large() -> LengthLimitError {
    use http_body_util::{BodyExt as _, Full, Limited};
    let limited = Limited::new(Full::<bytes::Bytes>::from("too large"), 1);
    let error = futures_executor::block_on(limited.collect()).unwrap_err();
    *error.downcast().unwrap()
}

fn routes() -> Router {
    Router::new()
        .route("/own", returning(sold_out))
        .route("/io", returning(disk))
        .route("/panic", get(async || -> () { panic!("{SECRET_TEXT}") }))
        .route("/late", returning(elapsed))
        .route("/late-deep", returning(|| OrderError(elapsed().into())))
        .route("/large", returning(too_large))
        .route("/shed", returning(Overloaded::new))
        .route("/taken", returning(taken))
        .route("/deep", returning(|| OrderError(taken().into())))
}

type Failed = Caught<HttpException>;

fn named(name: &'static str) -> impl Fn(Failed) -> HttpException + Send + Sync + 'static {
    move |failed| {
        HttpException::new(StatusCode::IM_A_TEAPOT)
            .with_detail(format!("{name} {}", failed.status()))
    }
}

// E3
#[tokio::test]
async fn a_handler_for_a_status_is_asked_for_what_has_it_by_default() {
    let layer = ExceptionLayer::new()
        .on_status(StatusCode::INTERNAL_SERVER_ERROR, named("500"))
        .on_status(StatusCode::GATEWAY_TIMEOUT, named("504"))
        .on_status(StatusCode::SERVICE_UNAVAILABLE, named("503"))
        .on_status(StatusCode::PAYLOAD_TOO_LARGE, named("413"))
        .on(|_: Caught<ShopError>| HttpException::gone("by type"))
        .on_any(|_: Caught| HttpException::gone("any"));
    // A layer inside has rendered the default.
    for app in [
        routes().layer(layer.clone()),
        routes().layer(ExceptionLayer::new()).layer(layer),
    ] {
        let server = Server::start_axum(app).await;
        for protocol in PROTOCOLS {
            for (path, status, detail) in [
                ("/io", 418, "500 500 Internal Server Error"),
                ("/panic", 418, "500 500 Internal Server Error"),
                ("/late", 418, "504 504 Gateway Timeout"),
                ("/late-deep", 418, "504 504 Gateway Timeout"),
                ("/large", 418, "413 413 Payload Too Large"),
                ("/shed", 418, "503 503 Service Unavailable"),
                // A handler for the type comes first.
                ("/own", 410, "by type"),
                ("/taken", 410, "any"),
                ("/deep", 410, "any"),
            ] {
                let mut client = server.connect(protocol).await;
                let got = client.get(path).await;
                let body = serde_json::json!({ "detail": detail }).to_string();
                assert!(got.starts_with(&status.to_string()), "{path}: {got}");
                assert!(got.ends_with(&body), "{path}: {got}");
            }
        }
    }
}

// E3
#[tokio::test]
async fn an_exact_status_comes_before_a_range_and_the_last_one_first() {
    let layer = ExceptionLayer::new()
        .on_status(StatusCode::CONFLICT, named("409"))
        .on_status(400..=499, named("4xx"))
        .on_status(500.., named("from 500"))
        .on_status(503..505, named("503, 504"))
        .on_status(
            StatusCode::SERVICE_UNAVAILABLE..=StatusCode::SERVICE_UNAVAILABLE,
            named("503"),
        )
        .on_status(504..504, named("none"))
        .on_status(0..0, named("none"));
    let server = Server::start_axum(routes().layer(layer)).await;
    for (path, name) in [
        ("/taken", "409 "),
        ("/deep", "409 "),
        ("/large", "4xx "),
        ("/io", "from 500 "),
        ("/panic", "from 500 "),
        ("/late", "503, 504 "),
        ("/shed", "503 "),
    ] {
        let got = server.get(path).await;
        assert!(
            got.text().starts_with(&format!("{{\"detail\":\"{name}")),
            "{path}: {got}"
        );
    }
}

// E3
#[tokio::test]
async fn outermost_is_the_failure_for_which_the_exception_stands() {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let layer = ExceptionLayer::new().on_status(500..=599, |failed: Failed| {
        let outermost = failed.outermost();
        let kind = match () {
            () if outermost.is::<io::Error>() => "io",
            () if outermost.is::<Panic>() => "panic",
            () if outermost.is::<OrderError>() => "order",
            () if outermost.is::<Overloaded>() => "shed",
            () => "other",
        };
        let retry = failed.headers().get(RETRY_AFTER).cloned();
        let retry = retry.unwrap_or(HeaderValue::from_static("never"));
        SEEN.lock()
            .unwrap()
            .push(format!("{kind} {} {retry:?}", failed.error()));
    });
    let server = Server::start_axum(routes().layer(layer)).await;
    for path in ["/io", "/panic", "/late-deep", "/shed", "/taken"] {
        server.get(path).await;
    }
    let seen = SEEN.lock().unwrap();
    assert_eq!(
        *seen,
        [
            r#"io 500: Internal Server Error "never""#,
            r#"panic 500: Internal Server Error "never""#,
            r#"order 504: Gateway Timeout "never""#,
            r#"shed 503: Service Unavailable "1""#,
        ]
    );
}

// E3
#[tokio::test]
async fn a_status_handler_is_asked_once_for_an_exception() {
    static ASKED: Mutex<u32> = Mutex::new(0);
    let layer = ExceptionLayer::new().on_status(400..=599, |_: Failed| {
        *ASKED.lock().unwrap() += 1;
    });
    let server = Server::start_axum(routes().layer(layer)).await;
    for (path, status) in [
        ("/taken", 409),
        ("/deep", 409),
        ("/io", 500),
        ("/shed", 503),
    ] {
        let received = server.get(path).await;
        assert_eq!(received.status, status);
        assert_eq!(std::mem::take(&mut *ASKED.lock().unwrap()), 1, "{path}");
    }
}
