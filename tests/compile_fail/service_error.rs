//! A service whose error is none.

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
    let _ = service.oneshot(Request::default());
}
