//! poem: a middleware that runs an endpoint below a layer.

use std::{convert::Infallible, io};

use http_body_util::{BodyExt, combinators::BoxBody};
use poem::{Endpoint, IntoResponse, Middleware, Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{ExceptionLayer, HttpException, bytes::Bytes, config::LayerConfig, http};

/// Middleware that runs an endpoint below an [`ExceptionLayer`].
///
/// poem's own adapter, `TowerLayerCompatExt::compat`, accepts layers whose service takes poem's
/// request. Those for HTTP take that of the crate `http`.
pub struct Below<C>(pub ExceptionLayer<C>);

impl<E: Endpoint, C: LayerConfig> Middleware<E> for Below<C> {
    type Output = BelowEndpoint<E, C>;

    fn transform(&self, endpoint: E) -> Self::Output {
        let layer = self.0.clone();
        BelowEndpoint { endpoint, layer }
    }
}

/// Endpoint of [`Below`].
pub struct BelowEndpoint<E, C> {
    endpoint: E,
    layer: ExceptionLayer<C>,
}

impl<E: Endpoint, C: LayerConfig> Endpoint for BelowEndpoint<E, C> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        // The layer gets the head of the request, and poem's own request passes it by.
        let mut head = http::Request::new(());
        *head.method_mut() = request.method().clone();
        *head.uri_mut() = request.uri().clone();
        *head.version_mut() = request.version();
        *head.headers_mut() = request.headers().clone();

        let mut request = Some(request);
        let service = service_fn(|_: http::Request<()>| {
            let request = request.take();
            async {
                let request = request.expect("an endpoint is called once");
                into_http(self.endpoint.call(request).await)
            }
        });
        let response: Result<_, Infallible> = self.layer.layer(service).oneshot(head).await;
        let Ok(response) = response;
        Ok(response.map(|body| body.map_err(io::Error::other)).into())
    }
}

/// Finds the exception in the error of an endpoint. Other errors stay poem's responses.
fn into_http(
    result: poem::Result<impl IntoResponse>,
) -> Result<http::Response<BoxBody<Bytes, io::Error>>, HttpException> {
    let error = match result {
        Ok(response) => return Ok(response.into_response().into()),
        Err(error) => error,
    };
    match error.downcast::<HttpException>() {
        Ok(exception) => Err(exception),
        Err(error) => Ok(error.into_response().into()),
    }
}
