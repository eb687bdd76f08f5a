//! The counter of failures, as a recorder of the facade `metrics` receives it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tower::{BoxError, Layer, service_fn};
use tower_exception::{Caught, ExceptionLayer, HttpException, Reply, config::LayerConfig};

use crate::support::Server;

async fn fail(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
    let path = request.uri().path();
    match path {
        "/404" => Err(HttpException::not_found("no such item").into()),
        "/attached" => Ok(HttpException::not_found("no such item").into()),
        "/code" => Err(HttpException::conflict("taken")
            .with_code("seat-taken")
            .into()),
        "/number" => Err("one".parse::<u32>().unwrap_err().into()),
        "/panic" => panic!("at the disco"),
        "/fine" => Ok(Response::new(Full::from("fine"))),
        // A code that holds anything.
        _ => Err(HttpException::conflict("taken")
            .with_code(path.to_owned())
            .into()),
    }
}

/// Returns the counters after a request for each path: `name{labels}` and the value.
async fn counted(
    layer: ExceptionLayer<impl LayerConfig>,
    paths: impl IntoIterator<Item = impl AsRef<str>>,
) -> BTreeMap<String, u64> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    // The server runs on this thread.
    let only_this_thread = ::metrics::set_default_local_recorder(&recorder);
    let server = Server::start(layer.layer(service_fn(fail))).await;
    for path in paths {
        server.get(path.as_ref()).await;
    }
    drop(only_this_thread);
    let counters = snapshotter.snapshot().into_vec().into_iter();
    let counters = counters.map(|(key, _, _, value)| {
        let labels = key.key().labels();
        let labels: Vec<_> = labels
            .map(|it| format!("{}={:?}", it.key(), it.value()))
            .collect();
        let DebugValue::Counter(value) = value else {
            panic!("{value:?}")
        };
        (
            format!("{}{{{}}}", key.key().name(), labels.join(",")),
            value,
        )
    });
    counters.collect()
}

/// Returns the name of the counter with these labels.
fn counter(kind: &str, mechanism: &str, outcome: &str, error_type: &str) -> String {
    format!(
        "tower_exception_failures_total{{kind={kind:?},mechanism={mechanism:?},phase=\"future\",\
         outcome={outcome:?},error_type={error_type:?}}}"
    )
}

#[tokio::test]
async fn each_failure_counts_once() {
    let paths = [
        "/404",
        "/404",
        "/attached",
        "/code",
        "/panic",
        "/number",
        "/fine",
    ];
    let expected = |number: &str| {
        BTreeMap::from([
            (counter("http_exception", "returned", "404", "404"), 2),
            (counter("http_exception", "attached", "404", "404"), 1),
            (
                counter("http_exception", "returned", "409", "seat-taken"),
                1,
            ),
            (counter("panic", "panicked", "500", "panic"), 1),
            (counter("error", "returned", "500", number), 1),
        ])
    };
    assert_eq!(
        counted(ExceptionLayer::new(), paths).await,
        expected("_OTHER")
    );
    let naming = || ExceptionLayer::new().on(|_: Caught<std::num::ParseIntError>| Reply::decline());
    let number = std::any::type_name::<std::num::ParseIntError>();
    assert_eq!(counted(naming(), paths).await, expected(number));
    let nested = tower::ServiceBuilder::new().layer(ExceptionLayer::new());
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let only_this_thread = ::metrics::set_default_local_recorder(&recorder);
    let service = nested.layer(naming()).service_fn(fail);
    Server::start(service).await.get("/404").await;
    drop(only_this_thread);
    let counters = snapshotter.snapshot().into_vec();
    assert_eq!(counters.len(), 1, "{counters:?}");
    assert_eq!(counters[0].3, DebugValue::Counter(1));
}

#[tokio::test]
async fn the_number_of_labels_is_bounded() {
    let codes = (0..100).map(|code| format!("/made-at-run-time-{code}"));
    let counters = counted(ExceptionLayer::new(), codes).await;
    let expected = counter("http_exception", "returned", "409", "409");
    assert_eq!(counters, BTreeMap::from([(expected, 100)]));
}

#[tokio::test]
async fn nothing_is_counted_if_nothing_fails() {
    let counters = counted(ExceptionLayer::new(), ["/fine"]).await;
    assert_eq!(counters, BTreeMap::new());
}
