//! The shop of the telemetry examples: an axum app whose orders fail.

use std::{fmt, io};

use axum::{Router, routing::post};
use tower_exception::{ExceptionLayer, HttpException, Result};

/// Error of the shop.
#[derive(Debug)]
pub struct DatabaseError(io::Error);

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the order was not stored")
    }
}

impl std::error::Error for DatabaseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn store(id: &str) -> Result<(), DatabaseError> {
    let error = io::Error::new(io::ErrorKind::TimedOut, format!("no reply for order {id}"));
    Err(DatabaseError(error))
}

async fn order(id: axum::extract::Path<String>) -> Result<&'static str> {
    if *id == "0" {
        return Err(HttpException::not_found("no such order").with_code("order-missing"))?;
    }
    store(&id)?;
    Ok("stored")
}

/// Returns the shop, without a layer.
pub fn routes() -> Router {
    Router::new().route("/orders/{id}", post(order))
}

/// Returns the layer of the shop.
pub fn layer() -> ExceptionLayer<tower_exception::config::Configured> {
    ExceptionLayer::new().capture::<axum::extract::MatchedPath>()
}
