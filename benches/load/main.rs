//! One 404 over a real socket, produced in each way: requests a second, and the server's own time a
//! request.
//!
//! An axum server (hyper, HTTP/1.1) runs on one thread. A client on another thread holds 32
//! connections open, each with one request at a time. The cases take turns in short rounds, so that
//! noise affects all alike. The printed figures are medians of the rounds.
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
    report(&mut cases);
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

fn report(cases: &mut [Case]) {
    println!(
        "{:28} {:>10} {:>8} {:>14} {:>8}",
        "", "requests/s", "ratio", "server µs/req", "ratio"
    );
    let plain = (median(&mut cases[0].rates), median(&mut cases[0].times));
    for case in cases {
        let rate = median(&mut case.rates);
        print!("{:28} {rate:10.0} {:8.3}", case.name, rate / plain.0);
        if case.is_ours && plain.1.is_finite() {
            let time = median(&mut case.times);
            print!(" {time:14.2} {:8.3}", time / plain.1);
        }
        println!();
    }
}

/// Median of `values`, or NaN if there are none.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
