//! The limit of a storm of equal failures.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, service_fn};
use tower_exception::{Caught, Error, ExceptionLayer, HttpException};
use tracing::Level;

use crate::support::{Protocol, Server, log::Log, observed, within};

async fn fail(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Error> {
    match request.uri().path() {
        "/here" => Err(HttpException::conflict("here").into()),
        "/there" => Err(HttpException::conflict("there").into()),
        _ => panic!("{}", request.uri()),
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn each_kind_and_place_has_its_lines() {
    let (layer, mut reports) = observed(ExceptionLayer::new().log_at_most(2, HOUR));
    let server = Server::start(layer.layer(service_fn(fail))).await;
    let log = Log::start();
    for path in ["/here", "/there", "/panic"] {
        for _ in 0..5 {
            server.get(path).await;
        }
    }
    let events = log.events();
    let paths: Vec<_> = events
        .iter()
        .map(|event| event.get("url.path").unwrap())
        .collect();
    assert_eq!(
        paths,
        ["/here", "/here", "/there", "/there", "/panic", "/panic"]
    );
    assert!(
        events
            .iter()
            .all(|event| event.get("tower_exception.left_out").is_none())
    );
    // Observers are not limited.
    assert_eq!(reports.take().len(), 15);
}

#[tokio::test]
async fn clones_of_a_layer_share_the_limit() {
    let layer = ExceptionLayer::new().log_at_most(2, HOUR);
    let log = Log::start();
    for layer in [layer.clone(), layer] {
        let server = Server::start(layer.layer(service_fn(fail))).await;
        server.get("/here").await;
        server.get("/here").await;
    }
    assert_eq!(log.events().len(), 2);
}

#[tokio::test]
async fn a_line_that_nobody_reads_takes_no_room() {
    let layer = ExceptionLayer::new()
        .log_as(|caught: &Caught, _| {
            let is_silent = caught.request().uri().query().is_some();
            (!is_silent).then_some(Level::INFO)
        })
        .log_at_most(1, HOUR);
    let server = Server::start(layer.layer(service_fn(fail))).await;
    let log = Log::start();
    server.get("/here?silent").await;
    server.get("/here").await;
    assert_eq!(log.only_event().level, Level::INFO);
}

#[tokio::test]
async fn the_next_line_has_the_number_that_was_left_out() {
    let layer = ExceptionLayer::new().log_at_most(1, Duration::from_millis(20));
    let server = Server::start(layer.layer(service_fn(fail))).await;
    let mut client = server.connect(Protocol::Http1).await;
    let log = Log::start();
    let mut requests = 0;
    let counted = || {
        let events = log.events();
        let left_out = events
            .iter()
            .filter_map(|event| event.get("tower_exception.left_out"));
        let left_out: Vec<u64> = left_out.map(|count| count.parse().unwrap()).collect();
        (events.len() as u64, left_out)
    };
    within(async {
        while counted().1.is_empty() {
            client.get("/here").await;
            requests += 1;
        }
    })
    .await;
    // The last request has the line with the count.
    let (lines, left_out) = counted();
    assert_eq!(left_out.len(), 1);
    assert_eq!(lines + left_out[0], requests);
    assert_eq!(
        log.events()[0].get("http.response.status_code"),
        Some(StatusCode::CONFLICT.as_str())
    );
}

/// Such a code may be that of an upstream, or hold the number of an order.
#[tokio::test]
async fn codes_that_are_made_at_run_time_are_of_one_kind() {
    let fails = |request: Request<Incoming>| async move {
        let code = request.uri().path().to_owned();
        Err::<Response<Full<Bytes>>, _>(HttpException::conflict("sold out").with_code(code))
    };
    let layer = ExceptionLayer::new().log_at_most(1, HOUR);
    let server = Server::start(layer.layer(service_fn(fails))).await;
    let log = Log::start();
    let mut client = server.connect(Protocol::Http1).await;
    for order in 0..2_000 {
        client.get(&format!("/{order}")).await;
    }
    // The line itself has the code.
    assert_eq!(log.only_event().get("error.type"), Some("/0"));
}
