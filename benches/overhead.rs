//! Cost of the layer, and of tower-http's `CatchPanicLayer` and axum's `HandleErrorLayer` in the
//! same run. Compare the medians of one group with each other, and never with another machine's.
//!
//! ```sh
//! cargo bench --features axum --bench overhead
//! ```

mod common;

use std::{fmt, io, panic, time::Duration};

use axum::{error_handling::HandleErrorLayer, response::IntoResponse};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use serde_json::json;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt as _, service_fn};
use tower_exception::{
    Caught, Detail, ExceptionLayer, HttpException, Outcome, Panic, config::Configured,
};
use tower_http::catch_panic::CatchPanicLayer;

use common::*;

fn measure<S, B>(group: &str, name: &str, expected: u16, c: &mut Criterion, mut service: S)
where
    S: Service<HttpRequest, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes>,
{
    assert_eq!(exchange(&mut service), expected);
    c.benchmark_group(group)
        .bench_function(name, |b| b.iter(|| exchange(&mut service)));
}

/// Function for `HandleErrorLayer` that renders an exception with the status, headers and JSON of
/// `ExceptionLayer`.
async fn handle_error(error: BoxError) -> impl IntoResponse {
    let (status, headers, detail) = match error.downcast::<HttpException>() {
        Ok(exception) => {
            let detail = match exception.detail() {
                Detail::Text(text) => text.clone(),
                _ => exception.status().canonical_reason().unwrap_or("").into(),
            };
            (exception.status(), exception.headers().clone(), detail)
        }
        Err(_) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            (status, HeaderMap::new(), "Internal Server Error".into())
        }
    };
    (status, headers, axum::Json(json!({ "detail": detail })))
}

/// Function for `HandleErrorLayer` that renders a fixed body.
async fn fixed_body(_: BoxError) -> impl IntoResponse {
    let body = json!({ "detail": "Item not found" });
    (StatusCode::NOT_FOUND, axum::Json(body))
}

/// Function for `HandleErrorLayer` that replies as the handler of [`five_handlers`].
async fn same_reply(error: BoxError) -> impl IntoResponse {
    let status = match error.downcast_ref::<HttpException>() {
        Some(exception) => exception.status(),
        None => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let body = json!({ "error": { "code": status.as_u16() } });
    (status, axum::Json(body))
}

/// Responds as axum does, without an exception.
async fn responds(_: HttpRequest) -> Result<axum::response::Response, BoxError> {
    let body = json!({ "detail": "Item not found" });
    Ok((StatusCode::NOT_FOUND, axum::Json(body)).into_response())
}

/// Layer with `count` handlers, each for another status.
fn handlers(count: u16) -> ExceptionLayer<Configured> {
    let one = ExceptionLayer::new().on_status(410, |_: Caught<HttpException>| StatusCode::GONE);
    (411..410 + count).fold(one, |layer, status| {
        layer.on_status(status, |_: Caught<HttpException>| StatusCode::GONE)
    })
}

fn observer() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().observe(|_: &Caught, _: Outcome| {})
}

/// Layer with five handlers, an observer, and, with the feature `websocket`, WebSockets.
fn configured() -> ExceptionLayer<Configured> {
    let layer = five_handlers().observe(|_: &Caught, _: Outcome| {});
    #[cfg(feature = "websocket")]
    let layer = layer.with_websockets(tower_exception::WebSockets::new());
    layer
}

/// Layer with five handlers. The one for exceptions is the last that is searched.
fn five_handlers() -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .on_status(StatusCode::CONFLICT, |_: Caught<HttpException>| {
            StatusCode::CONFLICT
        })
        .on(|_: Caught<io::Error>| StatusCode::BAD_GATEWAY)
        .on(|_: Caught<fmt::Error>| StatusCode::BAD_GATEWAY)
        .on_panic(|_: Caught<Panic>| StatusCode::INTERNAL_SERVER_ERROR)
        .on(|exception: Caught<HttpException>| {
            let body = json!({ "error": { "code": exception.status().as_u16() } });
            (exception.status(), axum::Json(body))
        })
}

fn nothing_raised(c: &mut Criterion) {
    let group = "nothing raised";
    measure(group, "bare", 200, c, service_fn(hello));
    let service = ExceptionLayer::new().layer(service_fn(hello));
    measure(group, "ExceptionLayer", 200, c, service);
    let service = five_handlers().layer(service_fn(hello));
    measure(group, "ExceptionLayer, five handlers", 200, c, service);
    for (name, layer) in [
        ("ExceptionLayer, configured", configured()),
        ("ExceptionLayer, one handler", handlers(1)),
        ("ExceptionLayer, 100 handlers", handlers(100)),
        ("ExceptionLayer, an observer", observer()),
        (
            "ExceptionLayer, adopting",
            ExceptionLayer::new().adopt_error_responses(),
        ),
    ] {
        measure(group, name, 200, c, layer.layer(service_fn(hello)));
    }
    let service = CatchPanicLayer::new().layer(service_fn(hello));
    measure(group, "CatchPanicLayer", 200, c, service);
    let service = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(handle_error))
        .service(service_fn(hello));
    measure(group, "HandleErrorLayer", 200, c, service);
}

fn raised(c: &mut Criterion) {
    let group = "returned";
    let service = ExceptionLayer::new().layer(service_fn(returns));
    measure(group, "ExceptionLayer", 404, c, service);
    let service = five_handlers().layer(service_fn(returns));
    measure(group, "ExceptionLayer, a handler answers", 404, c, service);
    let service = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(handle_error))
        .service(service_fn(returns));
    measure(group, "HandleErrorLayer", 404, c, service);
    let service = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(fixed_body))
        .service(service_fn(returns));
    measure(group, "HandleErrorLayer, a fixed body", 404, c, service);
    let service = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(same_reply))
        .service(service_fn(returns));
    measure(group, "HandleErrorLayer, same reply", 404, c, service);
    let service = service_fn(returns).map_result(by_hand);
    measure(group, "by hand", 404, c, service);
    let service = observer().layer(service_fn(returns));
    measure(group, "ExceptionLayer, an observer", 404, c, service);

    let group = "attached";
    let service = ExceptionLayer::new().layer(service_fn(attaches));
    measure(group, "ExceptionLayer", 404, c, service);
    measure(group, "axum, no exception", 404, c, service_fn(responds));

    let service = ExceptionLayer::new().layer(service_fn(raises_async));
    measure("raised async", "ExceptionLayer", 404, c, service);

    let group = "unwound";
    let service = ExceptionLayer::new().layer(service_fn(raises));
    measure(group, "ExceptionLayer, raised", 404, c, service);
    // The default panic hook would add the time of printing to the terminal.
    panic::set_hook(Box::new(|_| {}));
    let service = ExceptionLayer::new().layer(service_fn(panics));
    measure(group, "ExceptionLayer, panicked", 500, c, service);
    let service = CatchPanicLayer::new().layer(service_fn(panics));
    measure(group, "CatchPanicLayer, panicked", 500, c, service);
    drop(panic::take_hook());
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = nothing_raised, raised
}
criterion_main!(benches);
