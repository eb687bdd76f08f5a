//! What the layer costs, beside tower-http's `CatchPanicLayer` and axum's `HandleErrorLayer`, all in one
//! run: compare the medians of one group with each other, and nothing with another machine's.
//!
//! ```sh
//! cargo bench --features axum --bench overhead
//! ```

use std::{
    hint::black_box,
    panic,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::{error_handling::HandleErrorLayer, response::IntoResponse};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use serde_json::json;
use tower::{BoxError, Layer, Service, ServiceBuilder, service_fn};
use tower_exception::{ExceptionLayer, HttpException};
use tower_http::catch_panic::CatchPanicLayer;

type HttpRequest = Request<Full<Bytes>>;
type HttpResponse = Response<Full<Bytes>>;

/// One request, as a server does it: ready, call, poll, then every frame of the body.
fn exchange<S, B>(service: &mut S) -> StatusCode
where
    S: Service<HttpRequest, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(())) = service.poll_ready(&mut cx) else {
        panic!("not ready")
    };
    let request = black_box(Request::new(Full::default()));
    let Poll::Ready(Ok(response)) = pin!(service.call(request)).poll(&mut cx) else {
        panic!("no response")
    };
    let status = response.status();
    let mut body = pin!(response.into_body());
    while !body.is_end_stream() {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => drop(black_box(frame)),
            Poll::Ready(None) => break,
            _ => panic!("no frame"),
        }
    }
    status
}

fn measure<S, B>(group: &str, name: &str, expected: u16, c: &mut Criterion, mut service: S)
where
    S: Service<HttpRequest, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes>,
{
    assert_eq!(exchange(&mut service), expected);
    c.benchmark_group(group)
        .bench_function(name, |b| b.iter(|| exchange(&mut service)));
}

async fn hello(_: HttpRequest) -> Result<HttpResponse, BoxError> {
    Ok(Response::new(Full::from("hello")))
}

fn not_found() -> HttpException {
    HttpException::not_found("Item not found")
}

async fn returns(_: HttpRequest) -> Result<HttpResponse, BoxError> {
    Err(not_found().into())
}

async fn attaches(_: HttpRequest) -> Result<HttpResponse, BoxError> {
    Ok(not_found().into())
}

async fn raises(_: HttpRequest) -> Result<HttpResponse, BoxError> {
    not_found().raise()
}

async fn panics(_: HttpRequest) -> Result<HttpResponse, BoxError> {
    panic!("Item not found")
}

/// What one writes without this crate to get the same answer out of `HandleErrorLayer`.
async fn handle_error(error: BoxError) -> impl IntoResponse {
    let (status, detail) = match error.downcast_ref::<HttpException>() {
        Some(exception) => (exception.status(), "Item not found"),
        None => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    };
    (status, axum::Json(json!({ "detail": detail })))
}

fn nothing_raised(c: &mut Criterion) {
    let group = "nothing raised";
    measure(group, "bare", 200, c, service_fn(hello));
    let service = ExceptionLayer::new().layer(service_fn(hello));
    measure(group, "ExceptionLayer", 200, c, service);
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
    let service = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(handle_error))
        .service(service_fn(returns));
    measure(group, "HandleErrorLayer", 404, c, service);

    let service = ExceptionLayer::new().layer(service_fn(attaches));
    measure("attached", "ExceptionLayer", 404, c, service);

    let group = "unwound";
    let service = ExceptionLayer::new().layer(service_fn(raises));
    measure(group, "ExceptionLayer, raised", 404, c, service);
    // The panic hook prints to the terminal, which is not what is measured here.
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
