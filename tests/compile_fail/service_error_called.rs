//! A service whose error is none, as the argument of a function.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{ServiceBuilder, ServiceExt};
use tower_exception::ExceptionLayer;

async fn items(_: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, StatusCode> {
    Err(StatusCode::NOT_FOUND)
}

fn main() {
    let service = ServiceBuilder::new().layer(ExceptionLayer::new()).service_fn(items);
    let _ = ServiceExt::oneshot(service, Request::default());
}
