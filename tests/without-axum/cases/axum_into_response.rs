//! A middleware or fallback that converts an exception by axum's trait.

use axum::response::{IntoResponse, Response};
use tower_exception::HttpException;

fn respond() -> Response {
    HttpException::not_found("Item not found").into_response()
}

fn main() {
    respond();
}
