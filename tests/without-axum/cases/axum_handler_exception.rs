//! An axum handler that returns an exception.

use axum::{Router, routing::get};
use tower_exception::HttpException;

async fn item() -> Result<&'static str, HttpException> {
    Err(HttpException::not_found("Item not found"))
}

fn main() {
    let _: Router = Router::new().route("/", get(item));
}
