//! What it costs to leave from 1, 10 and 100 async calls down: by returning, by `raise_async` and by unwinding.
//! Compare within one group.
//!
//! `boxed`: each call is a box of its own, so that nothing is inlined. `nested`: one future inside the other,
//! as plain async functions are.
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

const WAYS: [(&str, Leave); 3] = [
    ("returned", Leave::Return),
    ("raise_async", Leave::RaiseAsync),
    ("raise, unwinding", Leave::Raise),
];

fn measure<F>(c: &mut Criterion, kind: &str, calls: u32, function: impl Fn(Leave) -> F)
where
    F: Future<Output = Result<u32, HttpException>>,
{
    let mut group = c.benchmark_group(format!("{kind}, depth {calls}"));
    for (name, how) in WAYS {
        let mut service = ExceptionLayer::new().layer(service_fn(|_: HttpRequest| async {
            let number = function(how).await?;
            HttpResult::Ok(HttpResponse::new(number.to_string().into()))
        }));
        assert_eq!(exchange(&mut service), 404);
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| exchange(&mut service));
        });
    }
}

fn in_boxes(c: &mut Criterion) {
    for calls in [1, 10, 100] {
        measure(c, "boxed", calls, |how| boxed(calls, how));
    }
}

fn one_inside_the_other(c: &mut Criterion) {
    measure(c, "nested", 1, Call::<End>::call);
    measure(c, "nested", 10, Ten::<End>::call);
    measure(c, "nested", 100, Hundred::call);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1));
    targets = in_boxes, one_inside_the_other
}
criterion_main!(benches);
