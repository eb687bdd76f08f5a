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

use std::{
    fmt, io,
    sync::Barrier,
    thread::{self, available_parallelism},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body;
use tower::{BoxError, Layer, Service, service_fn};
use tower_exception::{Caught, ExceptionLayer, HttpException, Outcome, Panic, config::Configured};

use common::*;

const THREADS: [usize; 4] = [1, 2, 4, 8];
const REQUESTS: u32 = 200_000;
/// Rounds in which the services take turns. The median of their times is printed.
const ROUNDS: usize = 7;

fn configured() -> ExceptionLayer<Configured> {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<io::Error>| StatusCode::BAD_GATEWAY)
        .on(|_: Caught<fmt::Error>| StatusCode::CONFLICT)
        .on_status(404, |_: Caught<HttpException>| StatusCode::NOT_FOUND)
        .on_panic(|_: Caught<Panic>| StatusCode::INTERNAL_SERVER_ERROR)
        .on_any(|_: Caught| StatusCode::INTERNAL_SERVER_ERROR)
        .observe(|_: &Caught, _: Outcome| {});
    #[cfg(feature = "websocket")]
    let layer = layer.with_websockets(tower_exception::WebSockets::new());
    layer
}

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
    let configured = configured().layer(service_fn(hello));
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
