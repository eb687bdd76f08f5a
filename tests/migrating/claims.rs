//! Statements of the pages that are in none of their tables of requests.

use std::{any::Any, panic::resume_unwind, time::Duration};

use anyhow::Context as _;
use axum::{Router, http::StatusCode, routing::get};
use tokio::sync::mpsc;
use tower::ServiceBuilder;
use tower_exception::{Caught, ExceptionLayer, HttpException, Outcome, Panic, Reply, Result};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    support::{SECRET_TEXT, Server},
    tables::answer,
};

/// Panics with a payload that is no text.
async fn panics_with_number() {
    std::panic::panic_any(7_u8)
}

async fn panics() {
    panic!("{SECRET_TEXT}")
}

#[tokio::test]
async fn the_default_responses_to_a_panic_differ() {
    let routes = Router::new().route("/", get(panics));
    let before = Server::start_axum(routes.clone().layer(CatchPanicLayer::new())).await;
    let text = "500 text/plain; charset=utf-8 Service panicked";
    assert_eq!(answer(&before, "GET /").await, text);
    let after = Server::start_axum(routes.layer(ExceptionLayer::new())).await;
    let text = r#"500 application/json {"detail":"Internal Server Error"}"#;
    assert_eq!(answer(&after, "GET /").await, text);
}

#[tokio::test]
async fn only_catch_panic_gives_a_payload_of_any_type() {
    let routes = Router::new().route("/", get(panics_with_number));
    let number = |payload: Box<dyn Any + Send>| {
        let number = payload.downcast_ref::<u8>().unwrap();
        http::Response::new(number.to_string())
    };
    let before = routes.clone().layer(CatchPanicLayer::custom(number));
    let before = Server::start_axum(before).await;
    assert_eq!(answer(&before, "GET /").await, "200 7");
    let message =
        |panic: Caught<Panic>| HttpException::bad_gateway(format!("{:?}", panic.message()));
    let after = Server::start_axum(routes.layer(ExceptionLayer::new().on_panic(message))).await;
    let text = r#"502 application/json {"detail":"None"}"#;
    assert_eq!(answer(&after, "GET /").await, text);
}

#[tokio::test]
async fn a_layer_outside_handles_a_panic_that_the_one_inside_leaves() {
    let routes = Router::new().route("/", get(panics));
    let outer = |_: Caught<Panic>| HttpException::bad_gateway("outer");
    let unwinds =
        CatchPanicLayer::custom(|payload| -> http::Response<String> { resume_unwind(payload) });
    for inside in [
        routes.clone().layer(unwinds),
        routes.layer(ExceptionLayer::new().on_panic(|_: Caught<Panic>| Reply::decline())),
    ] {
        let app = inside.layer(ExceptionLayer::new().on_panic(outer));
        let server = Server::start_axum(app).await;
        let text = r#"502 application/json {"detail":"outer"}"#;
        assert_eq!(answer(&server, "GET /").await, text);
    }
}

#[tokio::test]
async fn a_timeout_without_a_handler_is_a_504() {
    let layers = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .timeout(Duration::from_millis(1));
    let routes = Router::new().route("/", get(std::future::pending::<()>));
    let server = Server::start_axum(routes.layer(layers)).await;
    let text = r#"504 application/json {"detail":"Gateway Timeout"}"#;
    assert_eq!(answer(&server, "GET /").await, text);
}

async fn reports() -> Result<()> {
    Err(anyhow::anyhow!("the disk").context("the price list"))?
}

#[tokio::test]
async fn an_observer_has_the_whole_report_of_anyhow() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let layer = ExceptionLayer::new().observe(move |caught: &Caught, _: Outcome| {
        sender.send(format!("{:?}", caught.outermost())).unwrap();
    });
    let server = Server::start_axum(Router::new().route("/", get(reports)).layer(layer)).await;
    answer(&server, "GET /").await;
    let report = receiver.recv().await.unwrap();
    let expected = "the price list\n\nCaused by:\n    the disk";
    assert!(report.starts_with(expected), "{report}");
}

async fn finds_nothing() -> Result<()> {
    let nothing = Err(HttpException::not_found("nothing"));
    nothing.context("the shop").map_err(Into::into)
}

/// The step of the page from anyhow for clients that need the old text.
#[tokio::test]
async fn the_old_text_can_be_said_and_exceptions_stay() {
    let layer = ExceptionLayer::new().on_status(
        StatusCode::INTERNAL_SERVER_ERROR,
        |error: Caught<HttpException>| {
            let text = format!("Something went wrong: {}", error.outermost());
            HttpException::internal_server_error(text)
        },
    );
    let routes = Router::new()
        .route("/", get(reports))
        .route("/nothing", get(finds_nothing));
    let server = Server::start_axum(routes.layer(layer)).await;
    let text = r#"500 application/json {"detail":"Something went wrong: the price list"}"#;
    assert_eq!(answer(&server, "GET /").await, text);
    let text = r#"404 application/json {"detail":"nothing"}"#;
    assert_eq!(answer(&server, "GET /nothing").await, text);
}
