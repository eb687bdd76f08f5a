//! An axum handler that returns any error, with axum's attribute for better messages.

use axum::{Router, routing::get};

#[axum::debug_handler]
async fn item() -> tower_exception::Result<String> {
    Ok(std::fs::read_to_string("item")?)
}

fn main() {
    let _: Router = Router::new().route("/", get(item));
}
