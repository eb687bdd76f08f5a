//! Counts the instructions of a hundred requests, by case; `check.sh` runs it and explains why.

use std::{error::Error, fmt, hint::black_box};

use bytes::Bytes;
use gungraun::{LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use http::{Response, StatusCode};
use http_body::Body;
use tower::{BoxError, Layer, Service, ServiceExt as _, service_fn};
use tower_exception::{Caught, ExceptionLayer, HttpException, Outcome, Panic, config::Configured};
use tower_http::catch_panic::CatchPanicLayer;

#[path = "../common/mod.rs"]
mod common;
use common::*;

/// Error of the application.
#[derive(Debug)]
struct Failed<const N: usize>;

impl<const N: usize> fmt::Display for Failed<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed {N}")
    }
}

impl<const N: usize> Error for Failed<N> {}

/// Returns a layer with five handlers and an observer.
fn configured() -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .on(|_: Caught<Failed<1>>| StatusCode::GONE)
        .on(|_: Caught<Failed<2>>| StatusCode::CONFLICT)
        .on_status(StatusCode::NOT_FOUND, |_: Caught<HttpException>| {
            StatusCode::NOT_FOUND
        })
        .on_panic(|_: Caught<Panic>| StatusCode::BAD_GATEWAY)
        .on_any(|_: Caught| StatusCode::INTERNAL_SERVER_ERROR)
        .observe(|_: &Caught, _: Outcome| {})
}

/// Returns a layer with `count` handlers, each for another status.
fn handlers(count: u16) -> ExceptionLayer<Configured> {
    let one = ExceptionLayer::new().on_status(400, |_: Caught<HttpException>| StatusCode::GONE);
    (401..400 + count).fold(one, |layer, status| {
        layer.on_status(status, |_: Caught<HttpException>| StatusCode::GONE)
    })
}

fn observer() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().observe(|_: &Caught, _: Outcome| {})
}

const REQUESTS: u32 = 100;

/// Makes glibc ignore the processor features that some processors with AVX2 lack. glibc chooses by
/// them a way to copy memory, and half of the instructions that a layer adds copy the request and
/// the response.
const GLIBC_TUNABLES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-ERMS,-FSRM,-RTM";

type SendRequest = Box<dyn FnMut()>;

/// Returns a function that sends one request. It has run before, so that one-time work is not
/// counted.
fn warm<S, B>(mut service: S) -> SendRequest
where
    S: Service<HttpRequest, Response = Response<B>, Error: Into<BoxError>> + 'static,
    B: Body<Data = Bytes>,
{
    let mut send: SendRequest = Box::new(move || {
        black_box(exchange(&mut service));
    });
    run(&mut send);
    send
}

fn run(send: &mut SendRequest) {
    for _ in 0..REQUESTS {
        send();
    }
}

macro_rules! cases {
    ($($name:ident: $service:expr;)*) => {
        $(
            #[library_benchmark]
            #[bench::requests(warm($service))]
            fn $name(mut send: SendRequest) -> SendRequest {
                run(&mut send);
                send
            }
        )*

        library_benchmark_group!(name = requests, benchmarks = [$($name),*]);
    };
}

cases! {
    bare: service_fn(hello);
    exception_layer: ExceptionLayer::new().layer(service_fn(hello));
    catch_panic_layer: CatchPanicLayer::new().layer(service_fn(hello));
    returned: ExceptionLayer::new().layer(service_fn(returns));
    attached: ExceptionLayer::new().layer(service_fn(attaches));
    configured: configured().layer(service_fn(hello));
    one_handler: handlers(1).layer(service_fn(hello));
    hundred_handlers: handlers(100).layer(service_fn(hello));
    observer: observer().layer(service_fn(hello));
    adopting: ExceptionLayer::new().adopt_error_responses().layer(service_fn(hello));
    returned_handled: configured().layer(service_fn(returns));
    returned_observed: observer().layer(service_fn(returns));
    returned_by_hand: service_fn(returns).map_result(by_hand);
    raised_async: ExceptionLayer::new().layer(service_fn(raises_async));
}

main!(
    config = LibraryBenchmarkConfig::default().env("GLIBC_TUNABLES", GLIBC_TUNABLES),
    library_benchmark_groups = requests
);
