//! Time to leave from 1, 10 and 100 async calls deep: by returning, by `raise_async`, by unwinding.
//!
//! `boxed`: each call is in a box of its own, so that nothing is inlined. `nested`: one future
//! inside another, as with plain async functions. All cases take turns in short rounds, and a time
//! is the median of the rounds.
//!
//! ```sh
//! cargo bench --bench depth
//! ```
#![recursion_limit = "512"]

mod common;
#[path = "common/rounds.rs"]
mod rounds;

use std::future::Future;

use tower::{Layer, service_fn};
use tower_exception::{ExceptionLayer, HttpException};

use common::*;
use rounds::{Case, case, measure};

const WAYS: [(&str, FailBy); 3] = [
    ("returned", FailBy::Return),
    ("raise_async", FailBy::RaiseAsync),
    ("raise", FailBy::Raise),
];

/// Returns a case for each way to leave from `function`.
fn cases<F>(depth: String, function: impl Fn(FailBy) -> F + Copy + 'static) -> [Case; 3]
where
    F: Future<Output = Result<u32, HttpException>> + 'static,
{
    WAYS.map(|(name, by)| {
        let service = ExceptionLayer::new().layer(service_fn(move |_: HttpRequest| async move {
            let number = function(by).await?;
            HttpResult::Ok(HttpResponse::new(number.to_string().into()))
        }));
        case(format!("{depth}, {name}"), 404, service)
    })
}

fn main() {
    let boxed_calls =
        [1, 10, 100].map(|calls| cases(format!("boxed, {calls} deep"), move |by| boxed(calls, by)));
    let nested_calls = [
        cases("nested, 1 deep".into(), Call::<End>::call),
        cases("nested, 10 deep".into(), Ten::<End>::call),
        cases("nested, 100 deep".into(), Hundred::call),
    ];
    let all = boxed_calls.into_iter().chain(nested_calls).flatten();
    measure(all.collect());
}
