//! Routes that the load bench requests.

use axum::{Router, response::IntoResponse, routing::get};
use http::{StatusCode, header::CONTENT_TYPE};
use tower::layer::util::Identity;
use tower_exception::{ExceptionLayer, HttpException};
use tower_http::catch_panic::CatchPanicLayer;

use crate::common::{FailBy, boxed};

/// Name, path and status of each case. The ratios compare each with the first.
pub const CASES: [(&str, &str, u16); 8] = [
    ("plain handler", "/plain", 404),
    ("plain, below an idle layer", "/plain-idle", 404),
    ("plain, below ExceptionLayer", "/plain-below", 404),
    ("returned, attached", "/returned", 404),
    ("returned, 10 calls deep", "/returned-deep", 404),
    ("raise_async, 10 calls deep", "/raised-async", 404),
    ("raise, 10 calls deep", "/raised", 404),
    ("CatchPanicLayer, panic", "/panicked", 500),
];

const DEPTH: u32 = 10;

async fn plain() -> impl IntoResponse {
    (
        StatusCode::NOT_FOUND,
        [(CONTENT_TYPE, "application/json")],
        r#"{"detail":"Item not found"}"#,
    )
}

async fn returned() -> Result<&'static str, HttpException> {
    Err(HttpException::not_found("Item not found"))
}

async fn deep(by: FailBy) -> Result<String, HttpException> {
    Ok(boxed(DEPTH, by).await?.to_string())
}

/// Panics at the same depth, in the same boxes.
async fn panics() -> String {
    panic_below(DEPTH).await.to_string()
}

fn panic_below(calls: u32) -> std::pin::Pin<Box<dyn Future<Output = u32> + Send>> {
    Box::pin(async move {
        match calls {
            0 | 1 => panic!("Item not found"),
            _ => panic_below(calls - 1).await + 1,
        }
    })
}

pub fn app() -> Router {
    // The cost of any layer in axum.
    let idle = Router::new()
        .route("/plain-idle", get(plain))
        .layer(Identity::new());
    let exceptions = Router::new()
        .route("/plain-below", get(plain))
        .route("/returned", get(returned))
        .route("/returned-deep", get(|| deep(FailBy::Return)))
        .route("/raised-async", get(|| deep(FailBy::RaiseAsync)))
        .route("/raised", get(|| deep(FailBy::Raise)))
        .layer(ExceptionLayer::new());
    let panics = Router::new()
        .route("/panicked", get(panics))
        .layer(CatchPanicLayer::new());
    Router::new()
        .route("/plain", get(plain))
        .merge(idle)
        .merge(exceptions)
        .merge(panics)
}
