//! Cases that take turns in short rounds, so that noise affects all alike.
#![allow(dead_code, reason = "no bench uses all of it")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use tower::{BoxError, Service};

use super::common::{HttpRequest, exchange};

const ROUNDS: usize = 2001;

/// Time of a case in one round, if it is not a single request that takes more.
const ROUND: Duration = Duration::from_micros(50);

/// Depths of the stack that the rounds alternate between. How values lie in cache lines and pages
/// moves a time by a tenth, and depends on the depth.
const DEPTHS: usize = 64;

pub struct Case {
    name: String,
    /// Sends so many requests.
    send: Box<dyn FnMut(u32)>,
}

/// Returns a case whose requests `service` responds to with the status `expected`.
pub fn case<S, B>(name: impl Into<String>, expected: u16, mut service: S) -> Case
where
    S: Service<HttpRequest, Response = Response<B>, Error: Into<BoxError>> + 'static,
    B: Body<Data = Bytes>,
{
    assert_eq!(exchange(&mut service), expected);
    let send = Box::new(move |requests| {
        for _ in 0..requests {
            black_box(exchange(&mut service));
        }
    });
    Case {
        name: name.into(),
        send,
    }
}

/// Nanoseconds of a request in each round, by case.
pub struct Times(Vec<(String, Vec<f64>)>);

/// Measures the cases, and prints the median time of a request of each.
pub fn measure(mut cases: Vec<Case>) -> Times {
    let requests: Vec<_> = cases.iter_mut().map(requests_in_round).collect();
    let mut times = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for round in 0..ROUNDS {
        for turn in 0..cases.len() {
            let it = (turn + round) % cases.len();
            let time = time(&mut cases[it], requests[it], round % DEPTHS);
            times[it].push(time.as_nanos() as f64 / f64::from(requests[it]));
        }
    }
    println!("{:40} {:>8}", "one request", "ns");
    for (case, times) in cases.iter().zip(&times) {
        let [_, median, _] = quartiles(times.iter().copied());
        println!("{:40} {median:8.1}", case.name);
    }
    let names = cases.into_iter().map(|case| case.name);
    Times(names.zip(times).collect())
}

/// Returns the requests of a round, after some that warm the case up.
fn requests_in_round(case: &mut Case) -> u32 {
    const WARM: u32 = 100;
    time(case, WARM, 0);
    let all = time(case, WARM, 0).as_nanos().max(1);
    let requests = ROUND.as_nanos() * u128::from(WARM) / all;
    u32::try_from(requests).map_or(u32::MAX, |requests| requests.max(1))
}

fn time(case: &mut Case, requests: u32, depth: usize) -> Duration {
    let began = Instant::now();
    at_depth(depth, &mut || (case.send)(requests));
    began.elapsed()
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

impl Times {
    /// Prints the ratio of the time of `case` to that of `other`. The time of `bare` is subtracted
    /// from both.
    pub fn print_ratio(&self, case: &str, other: &str, bare: Option<&str>) {
        let ratio = |round: usize| {
            let bare = bare.map_or(0.0, |bare| self.of(bare)[round]);
            (self.of(case)[round] - bare) / (self.of(other)[round] - bare)
        };
        let [first, median, third] = quartiles((0..ROUNDS).map(ratio));
        let name = format!("{case} / {other}");
        println!("{name:48} {median:5.2} ({first:.2}-{third:.2})");
    }

    fn of(&self, name: &str) -> &[f64] {
        let (_, times) = self.0.iter().find(|(case, _)| case == name).unwrap();
        times
    }
}

fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}
