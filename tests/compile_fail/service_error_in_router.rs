//! A service whose error is none, in axum's router.

use axum::{Router, extract::Request, response::Response};
use http::StatusCode;
use tower::ServiceBuilder;
use tower_exception::ExceptionLayer;

async fn items(_: Request) -> Result<Response, StatusCode> {
    Err(StatusCode::NOT_FOUND)
}

fn main() {
    let service = ServiceBuilder::new().layer(ExceptionLayer::new()).service_fn(items);
    let _: Router = Router::new().route_service("/items", service);
}
