//! Errors from axum handlers, and services of several error types.

use std::sync::Arc;

use axum::{Router, extract::Path, routing::get};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, service_fn};
use tower_exception::{Error, ExceptionLayer, IntoFailure, Result, config::LayerConfig};

use crate::{
    cases::{CASES, Case},
    shop::{OrderError, ShopError, shop, sold_out},
    support::{BoxError, PROTOCOLS, Server, request},
};

fn app(layer: ExceptionLayer<impl LayerConfig>) -> Router {
    let fails =
        async |Path(number): Path<usize>| -> Result<String> { Err((CASES[number].error)()) };
    Router::new().route("/{number}", get(fails)).layer(layer)
}

/// Requests every case over either version of HTTP, and compares the responses.
async fn check(server: &Server, expected: fn(&Case) -> (u16, &'static str)) {
    let mut differences = Vec::new();
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for (number, case) in CASES.iter().enumerate() {
            let path = format!("/{number}");
            let got = client.exchange(request(Method::GET, &path)).await.unwrap();
            let (status, detail) = expected(case);
            let body = serde_json::json!({ "detail": detail }).to_string();
            if (got.status.as_u16(), got.text()) != (status, &body) {
                differences.push(format!("{protocol:?} {}: {got}", case.name));
            }
            let head = client.exchange(request(Method::HEAD, &path)).await.unwrap();
            if head.headers_without_date() != got.headers_without_date() {
                differences.push(format!("{protocol:?} HEAD {}: {head}", case.name));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

// E1, E2
#[tokio::test]
async fn an_error_of_an_axum_handler_reaches_the_handler_of_its_type() {
    let server = Server::start_axum(app(shop())).await;
    check(&server, |case| case.handled).await;
}

// E1, E2
#[tokio::test]
async fn an_error_of_an_axum_handler_has_its_default_without_handlers() {
    let server = Server::start_axum(app(ExceptionLayer::new())).await;
    check(&server, |case| case.default).await;
}

/// A layer inside renders the default, which the outer one handles all the same.
#[tokio::test]
async fn an_error_passes_an_unconfigured_layer_to_the_handler_of_its_type() {
    let app = app(ExceptionLayer::new()).layer(ExceptionLayer::new());
    let server = Server::start_axum(app.layer(shop())).await;
    check(&server, |case| case.handled).await;
}

/// Serves a service whose error type is `E`, and returns the status and the detail.
async fn status_of<E: IntoFailure + Send + 'static>(error: fn() -> E) -> (u16, String) {
    let service =
        service_fn(
            move |_: Request<Incoming>| async move { Err::<Response<Full<Bytes>>, E>(error()) },
        );
    let server = Server::start(shop().layer(service)).await;
    let received = server.get("/").await;
    let body: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
    let detail = body["detail"].as_str().unwrap().to_owned();
    (received.status.as_u16(), detail)
}

// E2
#[tokio::test]
async fn a_service_may_have_any_error_type() {
    let report = || anyhow::Error::new(sold_out());
    for (name, (status, detail)) in [
        ("Error", status_of(|| Error::from(sold_out())).await),
        ("BoxError", status_of(|| BoxError::from(sold_out())).await),
        ("ShopError", status_of(sold_out).await),
        ("Box", status_of(|| Box::new(sold_out())).await),
        ("Arc", status_of(|| Arc::new(sold_out())).await),
        ("anyhow", status_of(|| anyhow::Error::new(sold_out())).await),
        (
            "context",
            status_of(|| anyhow::Error::new(sold_out()).context("a")).await,
        ),
        ("eyre", status_of(|| eyre::Report::new(sold_out())).await),
        (
            "source",
            status_of(|| OrderError(anyhow::Error::new(sold_out()))).await,
        ),
        (
            "boxed",
            status_of(|| Error::from(sold_out()).into_boxed()).await,
        ),
        (
            "boxed report",
            status_of(|| Error::from(anyhow::Error::new(sold_out())).into_boxed()).await,
        ),
    ] {
        assert_eq!((status, &*detail), (410, "no plumbus left"), "{name}");
    }
    // anyhow's own conversion into a boxed error hides the type of the error.
    let hidden: BoxError = report().into();
    assert!(!hidden.is::<ShopError>());
}
