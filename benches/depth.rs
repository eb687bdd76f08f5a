//! Time to leave from 1, 10 and 100 async calls deep: by returning, by `raise_async`, by unwinding.
//! Compare within one group.
//!
//! `boxed`: each call is in a box of its own, so that nothing is inlined. `nested`: one future
//! inside another, as with plain async functions.
//!
//! ```sh
//! cargo bench --features axum --bench depth
//! ```
#![recursion_limit = "512"]

mod common;

use std::{future::Future, time::Duration};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tower::{Layer, service_fn};
use tower_exception::{ExceptionLayer, HttpException};

use common::*;

const WAYS: [(&str, FailBy); 3] = [
    ("returned", FailBy::Return),
    ("raise_async", FailBy::RaiseAsync),
    ("raise, unwinding", FailBy::Raise),
];

fn measure<F>(c: &mut Criterion, kind: &str, calls: u32, function: impl Fn(FailBy) -> F)
where
    F: Future<Output = Result<u32, HttpException>>,
{
    let mut group = c.benchmark_group(format!("{kind}, depth {calls}"));
    for (name, by) in WAYS {
        let mut service = ExceptionLayer::new().layer(service_fn(|_: HttpRequest| async {
            let number = function(by).await?;
            HttpResult::Ok(HttpResponse::new(number.to_string().into()))
        }));
        assert_eq!(exchange(&mut service), 404);
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| exchange(&mut service));
        });
    }
}

fn boxed_calls(c: &mut Criterion) {
    for calls in [1, 10, 100] {
        measure(c, "boxed", calls, |by| boxed(calls, by));
    }
}

fn nested_calls(c: &mut Criterion) {
    measure(c, "nested", 1, Call::<End>::call);
    measure(c, "nested", 10, Ten::<End>::call);
    measure(c, "nested", 100, Hundred::call);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1));
    targets = boxed_calls, nested_calls
}
criterion_main!(benches);
