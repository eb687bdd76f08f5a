//! Instructions of a hundred requests, by case. `check.sh` runs it, and says what for.

use std::hint::black_box;

use bytes::Bytes;
use gungraun::{LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use http::Response;
use http_body::Body;
use tower::{BoxError, Layer, Service, service_fn};
use tower_exception::ExceptionLayer;
use tower_http::catch_panic::CatchPanicLayer;

#[path = "../common/mod.rs"]
mod common;
use common::*;

const REQUESTS: u32 = 100;

/// glibc copies memory by what the processor has, and half of what a layer adds are copies of the request
/// and the response. So it is told to do without what not every processor has that has AVX2.
const COPIES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-ERMS,-FSRM,-RTM";

type Ask = Box<dyn FnMut()>;

/// Asks a service that has answered before, so that nothing is counted that is done but once.
fn warm<S, B>(mut service: S) -> Ask
where
    S: Service<HttpRequest, Response = Response<B>, Error: Into<BoxError>> + 'static,
    B: Body<Data = Bytes>,
{
    let mut ask: Ask = Box::new(move || {
        black_box(exchange(&mut service));
    });
    run(&mut ask);
    ask
}

fn run(ask: &mut Ask) {
    for _ in 0..REQUESTS {
        ask();
    }
}

macro_rules! cases {
    ($($name:ident: $service:expr;)*) => {
        $(
            #[library_benchmark]
            #[bench::requests(warm($service))]
            fn $name(mut ask: Ask) -> Ask {
                run(&mut ask);
                ask
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
    raised_async: ExceptionLayer::new().layer(service_fn(raises_async));
}

main!(
    config = LibraryBenchmarkConfig::default().env("GLIBC_TUNABLES", COPIES),
    library_benchmark_groups = requests
);
