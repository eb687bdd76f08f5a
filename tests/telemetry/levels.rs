//! The level that the user chooses for an event.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, service_fn};
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, Outcome, config::Configured, telemetry,
};
use tracing::Level;

use crate::support::{Server, log::Log, observed};

async fn fail(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Error> {
    let status = request.uri().path()[1..].parse().unwrap();
    Err(HttpException::new(StatusCode::from_u16(status).unwrap()).into())
}

/// Returns the levels of the events for requests with these statuses.
async fn levels(layer: ExceptionLayer<Configured>, statuses: &[&str]) -> Vec<Level> {
    let server = Server::start(layer.layer(service_fn(fail))).await;
    let log = Log::start();
    for status in statuses {
        server.get(&format!("/{status}")).await;
    }
    log.events().iter().map(|event| event.level).collect()
}

#[tokio::test]
async fn the_user_chooses_the_level() {
    let all = [
        Level::TRACE,
        Level::DEBUG,
        Level::INFO,
        Level::WARN,
        Level::ERROR,
    ];
    for level in all {
        let layer = ExceptionLayer::new().log_as(move |_: &Caught, _| Some(level));
        assert_eq!(levels(layer, &["404", "500"]).await, [level, level]);
    }
}

#[tokio::test]
async fn the_default_is_there_for_the_rest() {
    let layer = ExceptionLayer::new().log_as(|caught: &Caught, outcome: Outcome| match outcome {
        Outcome::Status(StatusCode::FORBIDDEN) => Some(Level::WARN),
        _ => Some(telemetry::default_level(caught, outcome)),
    });
    assert_eq!(
        levels(layer, &["403", "404", "500"]).await,
        [Level::WARN, Level::DEBUG, Level::ERROR]
    );
}

#[tokio::test]
async fn the_user_silences_a_failure_and_observers_still_hear_of_it() {
    let layer = ExceptionLayer::new().log_as(|caught: &Caught, _| {
        (caught.request().uri().path() != "/503").then_some(Level::INFO)
    });
    let (layer, mut reports) = observed(layer);
    assert_eq!(levels(layer, &["503", "500"]).await, [Level::INFO]);
    assert_eq!(reports.take().len(), 2);
}

#[tokio::test]
async fn a_choice_that_panics_is_the_default() {
    let layer = ExceptionLayer::new().log_as(|_: &Caught, _| panic!("no level"));
    assert_eq!(
        levels(layer, &["404", "500"]).await,
        [Level::DEBUG, Level::ERROR]
    );
}

#[tokio::test]
async fn the_outermost_layer_chooses() {
    let inner = ExceptionLayer::new().log_as(|_: &Caught, _| Some(Level::TRACE));
    let outer = ExceptionLayer::new().log_as(|_: &Caught, _| Some(Level::WARN));
    let server = Server::start(outer.layer(inner.layer(service_fn(fail)))).await;
    let log = Log::start();
    server.get("/404").await;
    assert_eq!(log.only_event().level, Level::WARN);
}

#[tokio::test]
async fn an_inner_layer_chooses_for_its_handler() {
    let inner = ExceptionLayer::new()
        .on_any(|_: Caught| StatusCode::GONE)
        .log_as(|_: &Caught, _| Some(Level::TRACE));
    let outer = ExceptionLayer::new().log_as(|_: &Caught, _| Some(Level::WARN));
    let service = inner.layer(service_fn(fail));
    let service = outer.layer(tower::ServiceExt::<Request<Incoming>>::map_err(
        service,
        |never: Infallible| -> Error { match never {} },
    ));
    let server = Server::start(service).await;
    let log = Log::start();
    server.get("/404").await;
    assert_eq!(log.only_event().level, Level::TRACE);
}
