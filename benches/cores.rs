//! Time of a request on 1, 2, 4 and 8 threads, each with a clone of one service.
//!
//! A layer that writes to memory that its clones share slows down as threads are added. More
//! threads than cores only wait for each other, so that their times show nothing but the
//! scheduler: divide by the bare service's time with as many threads.
//!
//! ```sh
//! cargo bench --features axum,websocket --bench cores
//! ```

mod common;
#[path = "common/layers.rs"]
mod layers;

use std::{
    sync::Barrier,
    thread::{self, available_parallelism},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use tower::{BoxError, Layer, Service, service_fn};
use tower_exception::ExceptionLayer;

use common::*;

const THREADS: [usize; 4] = [1, 2, 4, 8];
const REQUESTS: u32 = 200_000;
/// Rounds in which the services take turns. The median of their times is printed.
const ROUNDS: usize = 7;

/// Returns the time that each of `threads` needs for a request, on average.
fn time<S, B>(service: &S, threads: usize) -> Duration
where
    S: Service<HttpRequest, Response = Response<B>, Error: Into<BoxError>> + Clone + Send,
    B: Body<Data = Bytes>,
{
    let start = Barrier::new(threads);
    let run = |mut service: S| {
        start.wait();
        let started = Instant::now();
        for _ in 0..REQUESTS {
            exchange(&mut service);
        }
        started.elapsed()
    };
    let total: Duration = thread::scope(|scope| {
        let spawned: Vec<_> = (0..threads)
            .map(|_| {
                let service = service.clone();
                scope.spawn(|| run(service))
            })
            .collect();
        spawned.into_iter().map(|it| it.join().unwrap()).sum()
    });
    total / REQUESTS / threads as u32
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn main() {
    let bare = service_fn(hello);
    let plain = ExceptionLayer::new().layer(service_fn(hello));
    let configured = layers::configured().layer(service_fn(hello));
    let cores = available_parallelism().map_or(1, usize::from);
    println!("time of a request in ns, on {cores} cores: bare, ExceptionLayer, configured");
    for threads in THREADS {
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            times[0].push(time(&bare, threads));
            times[1].push(time(&plain, threads));
            times[2].push(time(&configured, threads));
        }
        let [bare, plain, configured] = times.map(|times| median(times).as_nanos());
        println!("{threads} threads: {bare:5} {plain:5} {configured:5}");
    }
}
