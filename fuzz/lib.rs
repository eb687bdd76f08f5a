//! One request through a layer, without a socket, and what several targets need.

pub mod base64;
pub mod body;
pub mod frames;
pub mod input;
pub mod panics;

use bytes::Bytes;
use futures_executor::block_on;
use http::{Request, Response, header::HeaderValue};
use http_body_util::{BodyExt as _, Empty, Full};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_exception::{ExceptionLayer, HttpException, config::Configured};

/// Returns the response of a layer to a service that fails with `exception`.
///
/// # Panics
///
/// Panics if the body fails.
pub fn respond(
    layer: &ExceptionLayer<Configured>,
    exception: HttpException,
    headers: &[(&'static str, HeaderValue)],
) -> Response<Bytes> {
    let service = layer.layer(service_fn(move |_: Request<Empty<Bytes>>| {
        let exception = exception.clone();
        async move { Err::<Response<Full<Bytes>>, _>(exception) }
    }));
    let mut request = Request::new(Empty::new());
    for (name, value) in headers {
        request.headers_mut().append(*name, value.clone());
    }
    block_on(async {
        let Ok(response) = service.oneshot(request).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the body is whole");
        Response::from_parts(head, body.to_bytes())
    })
}
