//! App in plain hyper: a `service_fn` that routes by hand, under the layer.

use std::convert::Infallible;

use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tokio_tungstenite::tungstenite::Message;
use tower::{BoxError, Service, ServiceBuilder};
use tower_exception::{BodyError, Exception, ExceptionLayer, WebSocketHandle, config::Configured};

use super::{
    handshake::{accept, handle},
    shared::{Via, authenticate, base, derived, secret, wanted},
    websocket::{Session, denial, refusal},
};

type Body = Full<Bytes>;

/// Longest body of a request: 1 MiB is far more than any test sends.
pub const MAX_BODY_BYTES: usize = 1 << 20;

pub fn app(
    layer: ExceptionLayer<Configured>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<impl HttpBody<Data = Bytes, Error = BodyError> + Send>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    ServiceBuilder::new().layer(layer).service_fn(respond)
}

async fn respond(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    let is_head = request.method() == Method::HEAD;
    let mut response = route(request).await?;
    if is_head {
        // hyper sends the body of a response to `HEAD` over HTTP/2.
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
        "/ws/before" => ws_before(request).await,
        "/ws/after" => ws_after(request),
        "/ws/http-before" => ws_http_before(request).await,
        "/ws/error-before" => Err(secret().into()),
        "/ws/error-after" => ws_error_after(request),
        "/ws/return" => ws_return(request),
        _ => Ok(plain(StatusCode::NOT_FOUND)),
    }
}

pub fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
    let methods = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, methods);
    response
}

/// Returns a plain error response, as a router does without exceptions: the layer adopts it.
pub fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

async fn raise(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    let via = Via::of(request.uri())?;
    let body = Limited::new(request.into_body(), MAX_BODY_BYTES)
        .collect()
        .await?;
    fail(via, wanted(&body.to_bytes())).await
}

async fn fail(via: Via, exception: impl Into<Exception>) -> Result<Response<Body>, BoxError> {
    match via {
        Via::Attached => Ok(exception.into().into()),
        via => Err(via.raise_or_return(exception).await.into()),
    }
}

fn only_get() -> Response<Body> {
    let mut response = Response::new(Body::from(r#"{"ok":true}"#));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

async fn ws_before(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    let _ = handle(&request)?;
    fail(Via::of(request.uri())?, refusal(request.uri())?).await
}

async fn ws_http_before(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    let _ = handle(&request)?;
    fail(Via::of(request.uri())?, denial(request.uri())).await
}

fn ws_after(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    let exceptions = handle(&request)?;
    play(Session::of(request.uri())?, request, exceptions)
}

fn ws_error_after(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    let exceptions = handle(&request)?;
    play(Session::failing(), request, exceptions)
}

fn play(
    session: Session,
    request: Request<Incoming>,
    exceptions: WebSocketHandle,
) -> Result<Response<Body>, BoxError> {
    let response = match Via::of(request.uri())? {
        Via::Raised => accept(request, |socket| {
            session.play_alone(socket, Message::is_text)
        }),
        via => accept(
            request,
            exceptions.catch(|socket| session.play(via, socket, Message::is_text)),
        ),
    };
    Ok(response?)
}

fn ws_return(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    let _ = handle(&request)?;
    Ok(accept(request, async |_| ())?)
}
