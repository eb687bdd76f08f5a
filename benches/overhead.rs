//! Time of a request under a layer, under tower-http's and axum's, and without one.
//!
//! All cases take turns in short rounds. A time or a ratio is the median of the rounds, and the
//! quartiles in brackets show the spread of a ratio.
//!
//! ```sh
//! cargo bench --features axum,websocket --bench overhead
//! ```

mod common;
#[path = "common/layers.rs"]
mod layers;
#[path = "common/rounds.rs"]
mod rounds;

use std::panic;

use axum::{error_handling::HandleErrorLayer, response::IntoResponse};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt as _, service_fn};
use tower_exception::{Detail, ExceptionLayer, HttpException};
use tower_http::catch_panic::CatchPanicLayer;

use common::*;
use layers::*;
use rounds::{case, measure};

/// Ratios to print: a case, another case, and the bare case of which both add something. Without a
/// bare case the whole times are compared.
const RATIOS: [(&str, &str, Option<&str>); 13] = [
    ("plain", "CatchPanicLayer", Some("bare")),
    ("five handlers", "CatchPanicLayer", Some("bare")),
    ("configured", "CatchPanicLayer", Some("bare")),
    ("an observer", "CatchPanicLayer", Some("bare")),
    ("adopting", "CatchPanicLayer", Some("bare")),
    ("100 handlers", "one handler", Some("bare")),
    ("returned", "a fixed body by axum", None),
    ("returned", "by hand", None),
    ("returned, an observer", "a fixed body by axum", None),
    ("a handler replies", "the same reply by axum", None),
    ("attached", "axum, no exception", None),
    ("raised async", "returned", None),
    ("raised, unwinding", "returned", None),
];

/// Returns a service that answers with the body `hello` or fails, under axum's layer with a
/// function that replies.
macro_rules! handle_error {
    ($function:expr, $service:expr) => {
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new($function))
            .service(service_fn($service))
    };
}

fn main() {
    // The default panic hook would add the time of printing to the terminal.
    panic::set_hook(Box::new(|_| {}));
    let plain = ExceptionLayer::new;
    let adopting = plain().adopt_error_responses();
    let catch_panic = CatchPanicLayer::new;
    let times = measure(vec![
        case("bare", 200, service_fn(hello)),
        case("plain", 200, plain().layer(service_fn(hello))),
        case(
            "CatchPanicLayer",
            200,
            catch_panic().layer(service_fn(hello)),
        ),
        case("HandleErrorLayer", 200, handle_error!(render, hello)),
        case(
            "five handlers",
            200,
            five_handlers().layer(service_fn(hello)),
        ),
        case("configured", 200, configured().layer(service_fn(hello))),
        case("an observer", 200, observer().layer(service_fn(hello))),
        case("adopting", 200, adopting.layer(service_fn(hello))),
        case("one handler", 200, handlers(1).layer(service_fn(hello))),
        case("100 handlers", 200, handlers(100).layer(service_fn(hello))),
        case("returned", 404, plain().layer(service_fn(returns))),
        case(
            "returned, an observer",
            404,
            observer().layer(service_fn(returns)),
        ),
        case("by hand", 404, service_fn(returns).map_result(by_hand)),
        case(
            "a fixed body by axum",
            404,
            handle_error!(fixed_body, returns),
        ),
        case("rendered by axum", 404, handle_error!(render, returns)),
        case(
            "a handler replies",
            404,
            five_handlers().layer(service_fn(returns)),
        ),
        case(
            "the same reply by axum",
            404,
            handle_error!(same_reply, returns),
        ),
        case("attached", 404, plain().layer(service_fn(attaches))),
        case("axum, no exception", 404, service_fn(responds)),
        case("raised async", 404, plain().layer(service_fn(raises_async))),
        case("raised, unwinding", 404, plain().layer(service_fn(raises))),
        case("panicked", 500, plain().layer(service_fn(panics))),
        case(
            "panicked, CatchPanicLayer",
            500,
            catch_panic().layer(service_fn(panics)),
        ),
    ]);
    println!();
    for (name, other, bare) in RATIOS {
        times.print_ratio(name, other, bare);
    }
}

/// Function for `HandleErrorLayer` that renders an exception with the status, headers and JSON of
/// `ExceptionLayer`.
async fn render(error: BoxError) -> impl IntoResponse {
    let (status, headers, detail) = match error.downcast::<HttpException>() {
        Ok(exception) => {
            let detail = match exception.detail() {
                Detail::Text(text) => text.clone(),
                _ => exception.status().canonical_reason().unwrap_or("").into(),
            };
            (exception.status(), exception.headers().clone(), detail)
        }
        Err(_) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            (status, HeaderMap::new(), "Internal Server Error".into())
        }
    };
    (status, headers, axum::Json(json!({ "detail": detail })))
}
