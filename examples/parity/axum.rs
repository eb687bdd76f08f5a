//! An axum `Router` with the layer on the outside.

use std::panic::panic_any;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{FromRequestParts, Request},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, get_service, post},
};
use http::{Uri, request::Parts};
use serde_json::{Value, json};
use tower::{BoxError, service_fn};
use tower_exception::{Custom, ExceptionLayer, HttpException};

use super::shared::{User, Via, authenticate, base, derived, secret, wanted};

pub fn app(layer: ExceptionLayer<Custom>) -> Router {
    routes().layer(layer)
}

fn routes() -> Router {
    Router::new()
        .route("/raise", post(raise))
        .route("/error", failing(|| secret().into()))
        .route("/base", failing(|| base().into()))
        .route("/derived", failing(|| derived().into()))
        .route("/only-get", get(only_get))
        .route("/dependency", get(dependency))
}

async fn raise(uri: Uri, body: Bytes) -> Result<Response, HttpException> {
    let exception = wanted(&body);
    match Via::of(&uri)? {
        Via::Returned => Err(exception),
        Via::Attached => Ok(exception.into_response()),
        Via::Raised => exception.raise(),
        Via::Panicked => panic_any(exception),
        Via::RaisedAsync => exception.raise_async().await,
    }
}

/// A service that fails. A `Router` takes only what never does, so a service that may fail has a layer
/// of its own, as it would with axum's `HandleErrorLayer`. What that one answers is provisional: it is the outer
/// layer's handlers that have the last word.
fn failing(error: fn() -> BoxError) -> MethodRouter {
    let service = service_fn(move |_: Request| async move { Err::<Response, _>(error()) });
    get_service(service).layer(ExceptionLayer::new())
}

async fn only_get() -> Json<Value> {
    Json(json!({ "ok": true }))
}

async fn dependency(user: User) -> Response {
    match user {}
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = HttpException;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, HttpException> {
        authenticate()
    }
}
