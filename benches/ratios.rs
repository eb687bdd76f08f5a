//! Ratios of the cost of a layer to that of other code that does the same.
//!
//! All cases take turns in rounds of a millisecond or less, so that noise affects all alike. A
//! ratio is the median of the rounds, and the quartiles in brackets show its spread. Use `overhead`
//! for times of one case.
//!
//! ```sh
//! cargo bench --features axum,websocket --bench ratios
//! ```

mod common;
#[path = "common/layers.rs"]
mod layers;

use std::{hint::black_box, time::Instant};

use axum::error_handling::HandleErrorLayer;
use bytes::Bytes;
use http::Response;
use http_body::Body;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt as _, service_fn};
use tower_exception::ExceptionLayer;
use tower_http::catch_panic::CatchPanicLayer;

use common::*;
use layers::*;

const ROUNDS: usize = 2001;

/// Requests of one case in a round.
const REQUESTS: u32 = 500;

/// Ratios to print: a case, another case, and the bare case of which both add something. Without a
/// bare case the whole times are compared.
const RATIOS: [(&str, &str, Option<&str>); 12] = [
    ("plain", "CatchPanicLayer", Some("bare")),
    ("configured", "CatchPanicLayer", Some("bare")),
    ("an observer", "CatchPanicLayer", Some("bare")),
    ("adopting", "CatchPanicLayer", Some("bare")),
    ("100 handlers", "one handler", Some("bare")),
    ("returned", "a fixed body by axum", None),
    ("returned", "by hand", None),
    ("returned, an observer", "a fixed body by axum", None),
    ("a handler replies", "the same reply by axum", None),
    ("attached", "axum, no exception", None),
    ("raised async", "returned", None),
    ("raised, unwinding", "returned", None),
];

/// Depths of the stack that the rounds alternate between. How values lie in cache lines and pages
/// moves a time by a tenth, and depends on the depth.
const DEPTHS: usize = 64;

struct Case {
    name: &'static str,
    send: Box<dyn FnMut()>,
    /// Nanoseconds a request, by round.
    times: Vec<f64>,
}

fn case<S, B>(name: &'static str, mut service: S) -> Case
where
    S: Service<HttpRequest, Response = Response<B>, Error: Into<BoxError>> + 'static,
    B: Body<Data = Bytes>,
{
    let send = Box::new(move || {
        for _ in 0..REQUESTS {
            black_box(exchange(&mut service));
        }
    });
    Case {
        name,
        send,
        times: Vec::with_capacity(ROUNDS),
    }
}

/// Returns a service that fails, under axum's layer with a function that replies.
macro_rules! handle_error {
    ($function:expr) => {
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new($function))
            .service(service_fn(returns))
    };
}

fn main() {
    let plain = ExceptionLayer::new;
    let adopting = plain().adopt_error_responses();
    let mut cases = [
        case("bare", service_fn(hello)),
        case("plain", plain().layer(service_fn(hello))),
        case(
            "CatchPanicLayer",
            CatchPanicLayer::new().layer(service_fn(hello)),
        ),
        case("configured", configured().layer(service_fn(hello))),
        case("an observer", observer().layer(service_fn(hello))),
        case("adopting", adopting.layer(service_fn(hello))),
        case("one handler", handlers(1).layer(service_fn(hello))),
        case("100 handlers", handlers(100).layer(service_fn(hello))),
        case("returned", plain().layer(service_fn(returns))),
        case(
            "returned, an observer",
            observer().layer(service_fn(returns)),
        ),
        case("by hand", service_fn(returns).map_result(by_hand)),
        case("a fixed body by axum", handle_error!(fixed_body)),
        case(
            "a handler replies",
            five_handlers().layer(service_fn(returns)),
        ),
        case("the same reply by axum", handle_error!(same_reply)),
        case("attached", plain().layer(service_fn(attaches))),
        case("axum, no exception", service_fn(responds)),
        case("raised async", plain().layer(service_fn(raises_async))),
        case("raised, unwinding", plain().layer(service_fn(raises))),
    ];
    for round in 0..ROUNDS {
        let first = round % cases.len();
        cases.rotate_left(first);
        for case in &mut cases {
            let began = Instant::now();
            at_depth(round % DEPTHS, &mut case.send);
            let time = began.elapsed().as_nanos() as f64 / f64::from(REQUESTS);
            case.times.push(time);
        }
        cases.rotate_right(first);
    }
    report(&cases);
}

/// Runs `send` below that many frames of the stack.
#[inline(never)]
fn at_depth(depth: usize, send: &mut dyn FnMut()) {
    let frame = black_box([0_u8; 24]);
    match depth {
        0 => send(),
        _ => at_depth(depth - 1, send),
    }
    black_box(&frame);
}

fn report(cases: &[Case]) {
    println!("{:28} {:>8}", "one request", "ns");
    for case in cases {
        let [_, median, _] = quartiles(case.times.iter().copied());
        println!("{:28} {median:8.1}", case.name);
    }
    println!("\n{:52} {:>24}", "", "ratio");
    let times = |name| &cases.iter().find(|case| case.name == name).unwrap().times;
    for (name, other, bare) in RATIOS {
        let ratio = |round: usize| {
            let bare = bare.map_or(0.0, |bare| times(bare)[round]);
            (times(name)[round] - bare) / (times(other)[round] - bare)
        };
        let [first, median, third] = quartiles((0..ROUNDS).map(ratio));
        println!("{name:24} / {other:24} {median:8.2} ({first:.2}-{third:.2})");
    }
}

fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}
