//! An axum handler that returns any error.

use axum::{Router, routing::get};

async fn item() -> tower_exception::Result<String> {
    Ok(std::fs::read_to_string("item")?)
}

fn main() {
    let _: Router = Router::new().route("/", get(item));
}
