//! Panics in a handler and a renderer of the layer, and under several layers.

use axum::{Router, routing::get};
use tower_exception::{Caught, ExceptionLayer, HttpException};

use crate::{panic_here, seen::watched, support::Server};

fn raises() -> Router {
    let raise = async || -> String { HttpException::not_found("no").raise() };
    let panics = async || -> String { panic_here!() };
    Router::new()
        .route("/raises", get(raise))
        .route("/panics", get(panics))
}

#[tokio::test]
async fn a_panic_of_a_layers_handler_has_its_place() {
    let in_sync = |_: Caught<HttpException>| -> HttpException { panic_here!() };
    let in_async = async |_: Caught<HttpException>| -> HttpException { panic_here!() };
    let layers = [
        watched(ExceptionLayer::new().on(in_sync)),
        watched(ExceptionLayer::new().on(in_async)),
    ];
    for (layer, mut panics) in layers {
        let received = Server::start(raises().layer(layer))
            .await
            .get("/raises")
            .await;
        assert_eq!(received.status, 500);
        panics.next().await.assert_is_in("layers.rs", "handler");
    }
}

#[tokio::test]
async fn an_outer_layers_handler_has_the_place_of_an_inner_layers_panic() {
    let (outer, mut panics) = watched(ExceptionLayer::new());
    let app = raises().layer(ExceptionLayer::new()).layer(outer);
    Server::start(app).await.get("/panics").await;
    panics
        .next_handled()
        .await
        .assert_is_in("layers.rs", "nested");
}
