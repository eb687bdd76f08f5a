//! Plain hyper: a `service_fn` that routes by hand, under the layer.

use std::{convert::Infallible, panic::panic_any};

use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tower::{BoxError, Service, ServiceBuilder};
use tower_exception::{Custom, ExceptionLayer};

use super::shared::{Via, authenticate, base, derived, secret, wanted};

type Body = Full<Bytes>;

/// No request's body is longer.
const MOST_BYTES: usize = 1 << 20;

pub fn app(
    layer: ExceptionLayer<Custom>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<impl HttpBody<Data = Bytes, Error = BoxError> + Send>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    ServiceBuilder::new().layer(layer).service_fn(answer)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    let is_head = request.method() == Method::HEAD;
    let mut response = route(request).await?;
    if is_head {
        // hyper's HTTP/2 sends whatever body it is given.
        let length = response.body().size_hint().lower();
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        *response.body_mut() = Body::default();
    }
    Ok(response)
}

async fn route(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    let is_post = request.method() == Method::POST;
    let is_get = request.method() == Method::GET || request.method() == Method::HEAD;
    match request.uri().path() {
        "/raise" if is_post => raise(request).await,
        "/raise" => Ok(not_allowed("POST")),
        "/error" | "/base" | "/derived" | "/only-get" | "/dependency" if !is_get => {
            Ok(not_allowed("GET,HEAD"))
        }
        "/error" => Err(secret().into()),
        "/base" => Err(base().into()),
        "/derived" => Err(derived().into()),
        "/only-get" => Ok(only_get()),
        "/dependency" => match authenticate()? {},
        _ => Ok(plain(StatusCode::NOT_FOUND)),
    }
}

fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
    let methods = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, methods);
    response
}

/// An error response as a router makes it that knows nothing of exceptions: the layer adopts it.
fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

async fn raise(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    let via = Via::of(request.uri())?;
    let body = Limited::new(request.into_body(), MOST_BYTES)
        .collect()
        .await?;
    let exception = wanted(&body.to_bytes());
    match via {
        Via::Returned => Err(exception.into()),
        Via::Attached => Ok(exception.into()),
        Via::Raised => exception.raise(),
        Via::Panicked => panic_any(exception),
        Via::RaisedAsync => exception.raise_async().await,
    }
}

fn only_get() -> Response<Body> {
    let mut response = Response::new(Body::from(r#"{"ok":true}"#));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
