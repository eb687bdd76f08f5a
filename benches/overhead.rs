//! Cost of the layer, and of tower-http's `CatchPanicLayer` and axum's `HandleErrorLayer` in the
//! same run. Compare the medians of one group with each other, and never with another machine's.
//!
//! ```sh
//! cargo bench --features axum,websocket --bench overhead
//! ```

mod common;
#[path = "common/layers.rs"]
mod layers;

use std::{panic, time::Duration};

use axum::{error_handling::HandleErrorLayer, response::IntoResponse};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use serde_json::json;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt as _, service_fn};
use tower_exception::{Detail, ExceptionLayer, HttpException};
use tower_http::catch_panic::CatchPanicLayer;

use common::*;
use layers::*;

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
    measure(group, "ExceptionLayer, a handler replies", 404, c, service);
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
    measure(group, "HandleErrorLayer, the same reply", 404, c, service);
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
