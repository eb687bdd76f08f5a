//! Layers as applications configure them, and axum's way to do the same.
#![allow(dead_code, reason = "no bench uses all of it")]

use std::{fmt, io};

use axum::{Json, response::IntoResponse};
use http::StatusCode;
use serde_json::json;
use tower::BoxError;
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Outcome, Panic, WebSockets, config::Configured,
};

use super::common::HttpRequest;

/// Returns a layer with five handlers. The one for exceptions is the last that is searched, and
/// replies as [`same_reply`].
pub fn five_handlers() -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .on_status(StatusCode::CONFLICT, |_: Caught<HttpException>| {
            StatusCode::CONFLICT
        })
        .on(|_: Caught<io::Error>| StatusCode::BAD_GATEWAY)
        .on(|_: Caught<fmt::Error>| StatusCode::BAD_GATEWAY)
        .on_panic(|_: Caught<Panic>| StatusCode::INTERNAL_SERVER_ERROR)
        .on(|exception: Caught<HttpException>| {
            let body = json!({ "error": { "code": exception.status().as_u16() } });
            (exception.status(), Json(body))
        })
}

/// Returns a layer with five handlers, an observer and WebSockets.
pub fn configured() -> ExceptionLayer<Configured> {
    five_handlers()
        .observe(|_: &Caught, _: Outcome| {})
        .with_websockets(WebSockets::new())
}

/// Returns a layer with `count` handlers, each for another status, and none for 404.
pub fn handlers(count: u16) -> ExceptionLayer<Configured> {
    let one = ExceptionLayer::new().on_status(410, |_: Caught<HttpException>| StatusCode::GONE);
    (411..410 + count).fold(one, |layer, status| {
        layer.on_status(status, |_: Caught<HttpException>| StatusCode::GONE)
    })
}

pub fn observer() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().observe(|_: &Caught, _: Outcome| {})
}

/// Function for `HandleErrorLayer` that renders a fixed body.
pub async fn fixed_body(_: BoxError) -> impl IntoResponse {
    let body = json!({ "detail": "Item not found" });
    (StatusCode::NOT_FOUND, Json(body))
}

/// Function for `HandleErrorLayer` that replies as the last handler of [`five_handlers`].
pub async fn same_reply(error: BoxError) -> impl IntoResponse {
    let status = match error.downcast_ref::<HttpException>() {
        Some(exception) => exception.status(),
        None => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let body = json!({ "error": { "code": status.as_u16() } });
    (status, Json(body))
}

/// Responds as axum does, without an exception.
pub async fn responds(_: HttpRequest) -> Result<axum::response::Response, BoxError> {
    let body = json!({ "detail": "Item not found" });
    Ok((StatusCode::NOT_FOUND, Json(body)).into_response())
}
