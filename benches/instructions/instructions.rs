//! Counts the instructions of a hundred requests, by case; `check.sh` runs it and explains why.

use std::hint::black_box;

use axum::error_handling::HandleErrorLayer;
use bytes::Bytes;
use gungraun::{LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use http::Response;
use http_body::Body;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt as _, service_fn};
use tower_exception::ExceptionLayer;
use tower_http::catch_panic::CatchPanicLayer;

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/layers.rs"]
mod layers;

use common::*;
use layers::*;

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

/// Returns a service that fails, under axum's layer with a function that replies.
macro_rules! handle_error {
    ($function:expr) => {
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new($function))
            .service(service_fn(returns))
    };
}

cases! {
    bare: service_fn(hello);
    exception_layer: ExceptionLayer::new().layer(service_fn(hello));
    catch_panic_layer: CatchPanicLayer::new().layer(service_fn(hello));
    configured: configured().layer(service_fn(hello));
    one_handler: handlers(1).layer(service_fn(hello));
    hundred_handlers: handlers(100).layer(service_fn(hello));
    observer: observer().layer(service_fn(hello));
    adopting: ExceptionLayer::new().adopt_error_responses().layer(service_fn(hello));
    returned: ExceptionLayer::new().layer(service_fn(returns));
    returned_observed: observer().layer(service_fn(returns));
    returned_by_hand: service_fn(returns).map_result(by_hand);
    returned_to_axum: handle_error!(fixed_body);
    replied: five_handlers().layer(service_fn(returns));
    replied_configured: configured().layer(service_fn(returns));
    replied_by_axum: handle_error!(same_reply);
    attached: ExceptionLayer::new().layer(service_fn(attaches));
    responded_by_axum: service_fn(responds);
    raised_async: ExceptionLayer::new().layer(service_fn(raises_async));
}

main!(
    config = LibraryBenchmarkConfig::default().env("GLIBC_TUNABLES", GLIBC_TUNABLES),
    library_benchmark_groups = requests
);
