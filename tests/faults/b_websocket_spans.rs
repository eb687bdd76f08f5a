//! Spans of `tracing` in which a WebSocket's failures are handled and reported.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, ws::WebSocket},
    middleware::{self, Next},
};
use tower::{ServiceBuilder, util::MapFutureLayer};
use tower_exception::{Caught, ExceptionLayer, Outcome, Panic, WebSocketException, WebSockets};
use tower_http::trace::TraceLayer;
use tracing::{Instrument, Span, debug_span};
use tracing_subscriber::{filter::LevelFilter, util::SubscriberInitExt};

use crate::support::websocket::*;

/// The formatted events of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Captures events until the returned guard is dropped.
    fn capture(&self) -> impl Sized {
        let lines = self.clone();
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::DEBUG)
            .with_ansi(false)
            .with_writer(move || lines.clone())
            .set_default()
    }

    /// Returns the events of the crate.
    fn of_the_crate(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.contains(" tower_exception"));
        lines.map(str::to_owned).collect()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Names of the spans in which handlers and observers run.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn here(&self, who: &str) {
        let span = Span::current();
        let span = span.metadata().map_or("none", |metadata| metadata.name());
        self.0.lock().unwrap().push(format!("{who} in {span}"));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn app(seen: &Seen) -> Router {
    let [in_sync, in_async, in_observer] = [seen.clone(), seen.clone(), seen.clone()];
    let layer = ExceptionLayer::new()
        .with_websockets(WebSockets::new())
        .on_panic(move |_: Caught<Panic>| {
            in_sync.here("handler");
            no_swearing()
        })
        .on(move |_: Caught<std::fmt::Error>| {
            let seen = in_async.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                seen.here("handler");
                no_swearing()
            }
        })
        .observe(move |_: &Caught, _: Outcome| in_observer.here("observer"));
    Router::new()
        .route("/panic", bare(async |_| panic!("{SECRET_TEXT}")))
        .route("/raise", bare(async |_| no_swearing().raise()))
        .route("/error", catching(async |_| Err(std::fmt::Error.into())))
        .route(
            "/late",
            catching(async |mut socket: WebSocket| {
                use axum::extract::ws::Message;
                socket.send(Message::Close(None)).await?;
                Err(WebSocketException::new(tower_exception::CloseCode::NORMAL_CLOSURE).into())
            }),
        )
        .layer(layer)
}

/// B11
#[tokio::test]
async fn a_websockets_failures_are_reported_in_the_span_of_its_request() {
    async fn instrumented(request: Request, next: Next) -> axum::response::Response {
        next.run(request).instrument(debug_span!("request")).await
    }
    let lines = Lines::default();
    let _guard = lines.capture();
    let seen = Seen::default();
    let app = app(&seen);
    let middleware = app.clone().layer(middleware::from_fn(instrumented));
    // Only the future is instrumented, and not the call that returns it.
    let future =
        MapFutureLayer::new(|future| Instrument::instrument(future, debug_span!("request")));
    let future = app.clone().layer(ServiceBuilder::new().layer(future));
    let trace = app.layer(TraceLayer::new_for_http());
    for router in [middleware, future, trace] {
        let address = serve(router).await;
        for protocol in PROTOCOLS {
            for (path, handlers) in [("/panic", 1), ("/raise", 0), ("/error", 1)] {
                lines.0.lock().unwrap().clear();
                let mut client = connect_over(protocol, address, path).await;
                assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
                let expected = ["handler in request", "observer in request"];
                assert_eq!(seen.take(), expected[1 - handlers..], "{path}");
                let [line] = &lines.of_the_crate()[..] else {
                    panic!("{:?}", lines.of_the_crate());
                };
                assert!(line.contains(" request"), "{line}");
            }
        }
    }
}

/// B11
#[tokio::test]
async fn a_failure_without_a_close_frame_is_reported_in_the_span_of_its_request() {
    let lines = Lines::default();
    let _guard = lines.capture();
    let seen = Seen::default();
    let address = serve(app(&seen).layer(TraceLayer::new_for_http())).await;
    let mut client = Raw::open(address, "/late").await;
    client.send(&masked_close(1000)).await;
    client.rest().await.unwrap();
    within(async {
        while lines.of_the_crate().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(seen.take(), ["observer in request"]);
    assert!(lines.of_the_crate()[0].contains(" request"));
}
