//! One 404 over a real socket, produced in each way: requests a second, and the server's own time a
//! request.
//!
//! An axum server (hyper, HTTP/1.1) runs on one thread. A client on another thread holds 32
//! connections open, each with one request at a time. The cases take turns in short rounds, so that
//! noise affects all alike. The printed figures are medians of the rounds. A ratio is that to the
//! plain handler in the same round, and the quartiles in brackets show its spread.
//!
//! ```sh
//! cargo bench --features axum --bench load
//! # Together with another server that responds with a 404:
//! cargo bench --features axum --bench load -- 127.0.0.1:8000/items/2
//! ```

mod app;
mod client;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/server.rs"]
mod server;

use std::{env, panic, time::Duration};

use client::Target;

const ROUNDS: usize = 25;
const ROUND: Duration = Duration::from_millis(200);
const WARM_UP: Duration = Duration::from_millis(300);

struct Case {
    name: String,
    target: Target,
    /// Whether the server runs in this process, so that its running time is known.
    is_ours: bool,
    rates: Vec<f64>,
    times: Vec<f64>,
}

fn main() {
    // The default panic hook would add the time of printing.
    panic::set_hook(Box::new(|_| {}));
    let server = server::start(app::app());
    let ours = app::CASES.iter().map(|&(name, path, status)| {
        let target = Target::new(&server.address.to_string(), path, status);
        Case::new(name, target, true)
    });
    // `cargo bench` adds `--bench`.
    let others = env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let others = others.map(|address| {
        let (host, path) = address.split_once('/').unwrap_or((&address, ""));
        Case::new(&address, Target::new(host, &format!("/{path}"), 404), false)
    });
    let mut cases: Vec<_> = ours.chain(others).collect();

    let client = client::runtime();
    for case in &cases {
        client.block_on(client::load(&case.target, WARM_UP, None));
    }
    for round in 0..ROUNDS {
        let first = round % cases.len();
        cases.rotate_left(first);
        for case in &mut cases {
            let before = server.cpu_time();
            let result = client.block_on(client::load(&case.target, ROUND, None));
            case.rates.push(result.per_second());
            if let (Some(before), Some(after)) = (before, server.cpu_time()) {
                let time = (after - before).as_secs_f64() * 1e6 / result.requests as f64;
                case.times.push(time);
            }
        }
        cases.rotate_right(first);
    }
    report(&cases);
}

impl Case {
    fn new(name: &str, target: Target, is_ours: bool) -> Self {
        Self {
            name: name.to_owned(),
            target,
            is_ours,
            rates: Vec::new(),
            times: Vec::new(),
        }
    }
}

fn report(cases: &[Case]) {
    println!(
        "{:28} {:>10} {:>21} {:>12} {:>21}",
        "", "requests/s", "ratio", "server us", "ratio"
    );
    let (rates, times) = (&cases[0].rates, &cases[0].times);
    for case in cases {
        let rate = quartiles(case.rates.iter().copied())[1];
        print!("{:28} {rate:10.0} {}", case.name, ratio(&case.rates, rates));
        if case.is_ours && !times.is_empty() {
            let time = quartiles(case.times.iter().copied())[1];
            print!(" {time:12.2} {}", ratio(&case.times, times));
        }
        println!();
    }
}

/// Returns the median of the ratios of each round, and in brackets the first and the third
/// quartile.
fn ratio(values: &[f64], plain: &[f64]) -> String {
    let ratios = values.iter().zip(plain).map(|(value, plain)| value / plain);
    let [first, median, third] = quartiles(ratios);
    format!("{median:7.3} ({first:.3}-{third:.3})")
}

fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}
