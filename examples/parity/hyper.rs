//! Plain hyper: a `service_fn` that routes by hand, under the layer.

use std::{convert::Infallible, panic::panic_any};

use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
};
use http_body::Body as _;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tower::{BoxError, Service, ServiceBuilder};
use tower_exception::{ExceptionBody, ExceptionLayer, HttpException};

use super::shared::{Via, authenticate, base, derived, secret, wanted};

type Body = Full<Bytes>;

/// No request's body is longer.
const MOST_BYTES: usize = 1 << 20;

pub fn app() -> impl Service<
    Request<Incoming>,
    Response = Response<ExceptionBody<Body>>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .service_fn(answer)
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
        "/raise" => Err(not_allowed("POST").into()),
        "/error" | "/base" | "/derived" | "/only-get" | "/dependency" if !is_get => {
            Err(not_allowed("GET,HEAD").into())
        }
        "/error" => Err(secret().into()),
        "/base" => Err(base().into()),
        "/derived" => Err(derived().into()),
        "/only-get" => Ok(only_get()),
        "/dependency" => match authenticate()? {},
        _ => Err(HttpException::new(StatusCode::NOT_FOUND).into()),
    }
}

fn not_allowed(methods: &'static str) -> HttpException {
    HttpException::new(StatusCode::METHOD_NOT_ALLOWED)
        .with_header(ALLOW, HeaderValue::from_static(methods))
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
        // The same until the crate can raise without unwinding.
        Via::RaisedAsync => exception.raise(),
    }
}

fn only_get() -> Response<Body> {
    let mut response = Response::new(Body::from(r#"{"ok":true}"#));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
