//! A storm of equal failures over a real socket: requests a second, and the lines of the log.
//!
//! An axum server runs on one thread and logs to a file. A client on another thread holds 32
//! connections open, and sends 10,000 requests a second, then as many as it can. The first case
//! responds with the same bytes without a layer and without a log. The cases take turns in rounds,
//! and the printed rates are medians.
//!
//! ```sh
//! cargo bench --features axum,tracing --bench storm
//! ```

#[path = "load/client.rs"]
mod client;
#[path = "common/server.rs"]
#[allow(dead_code, reason = "other benches read the server's running time")]
mod server;

use std::{
    env, fs, io,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, response::IntoResponse, routing::get};
use client::Target;
use http::{StatusCode, header::CONTENT_TYPE};
use tower_exception::{ExceptionLayer, Result};

/// Five seconds for each case.
const ROUNDS: usize = 10;
const ROUND: Duration = Duration::from_millis(500);

/// Limit of the second case.
const LINES: u32 = 10;
const PER: Duration = Duration::from_secs(1);

/// Requests a second of the storm. `None` is as many as possible.
const STORMS: [Option<u32>; 2] = [Some(10_000), None];

const CASES: [&str; 3] = ["/bare", "/limited", "/unlimited"];

static LOGGED: AtomicU64 = AtomicU64::new(0);
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// A file that counts its lines, and the failures that they say were left out.
struct Log(fs::File);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LOGGED.fetch_add(1, Relaxed);
        let text = String::from_utf8_lossy(line);
        if let Some((_, rest)) = text.split_once("tower_exception.left_out=") {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            LEFT_OUT.fetch_add(digits.parse().unwrap(), Relaxed);
        }
        self.0.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

async fn bare() -> impl IntoResponse {
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        [(CONTENT_TYPE, "application/json")],
        r#"{"detail":"Internal Server Error"}"#,
    )
}

async fn failing() -> Result<String> {
    Err(io::Error::other("the database does not respond"))?
}

fn app() -> Router {
    let [bare_path, limited, unlimited] = CASES;
    let layer = ExceptionLayer::new();
    Router::new()
        .route(bare_path, get(bare))
        .route(limited, get(failing).layer(layer.log_at_most(LINES, PER)))
        .route(unlimited, get(failing).layer(layer.capture_headers()))
}

fn main() {
    let path = env::temp_dir().join(format!("storm-{}.log", std::process::id()));
    let log = Log(fs::File::create(&path).unwrap());
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(Mutex::new(log))
        .init();
    let server = server::start(app());
    let host = server.address.to_string();
    let client = client::runtime();
    for path in CASES {
        client.block_on(client::load(&Target::new(&host, path, 500), PER, None));
    }
    for storm in STORMS {
        let mut rates: [Vec<f64>; CASES.len()] = Default::default();
        let mut totals = [[0; 3]; CASES.len()];
        for round in 0..ROUNDS * CASES.len() {
            let case = round % CASES.len();
            let before = [&LOGGED, &LEFT_OUT].map(|count| count.load(Relaxed));
            let target = Target::new(&host, CASES[case], 500);
            let result = client.block_on(client::load(&target, ROUND, storm));
            rates[case].push(result.per_second());
            totals[case][0] += result.requests;
            for (index, count) in [&LOGGED, &LEFT_OUT].into_iter().enumerate() {
                totals[case][index + 1] += count.load(Relaxed) - before[index];
            }
        }
        report(rates, totals);
    }
    fs::remove_file(path).unwrap();
}

fn report(rates: [Vec<f64>; CASES.len()], totals: [[u64; 3]; CASES.len()]) {
    let medians = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    println!("             requests/s   ratio   requests      lines   left out");
    for ((path, rate), [requests, lines, left_out]) in CASES.into_iter().zip(medians).zip(totals) {
        let ratio = rate / medians[0];
        println!("{path:12} {rate:10.0} {ratio:7.3} {requests:10} {lines:10} {left_out:10}");
    }
}
