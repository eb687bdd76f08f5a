//! Exceptions for tower: any code below one [`Layer`](tower_layer::Layer) can raise one, the rest of the
//! work is aborted, and the client gets a proper answer.
//!
//! In axum, with the feature `axum`:
//!
#![cfg_attr(feature = "axum", doc = "```")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! use axum::{Json, Router, extract::Path, routing::get};
//! use tower_exception::{ExceptionLayer, HttpException};
//!
//! async fn item(Path(id): Path<u32>) -> Result<Json<&'static str>, HttpException> {
//!     match id {
//!         1 => Ok(Json("plumbus")),
//!         _ => Err(HttpException::not_found("Item not found")),
//!     }
//! }
//!
//! let app: Router = Router::new()
//!     .route("/items/{id}", get(item))
//!     .layer(ExceptionLayer::new());
//! # // GET /items/2  ->  404 {"detail":"Item not found"}
//! ```
//!
//! In any other stack of tower services, with no feature at all:
//!
//! ```
//! use bytes::Bytes;
//! use http::{HeaderValue, Request, Response, header::WWW_AUTHENTICATE};
//! use http_body_util::Full;
//! use tower::{BoxError, ServiceBuilder};
//! use tower_exception::{ExceptionLayer, HttpException};
//!
//! /// Deep down, where no `Result` leads out.
//! fn user(request: &Request<Full<Bytes>>) -> &str {
//!     match request.headers().get("x-user").map(HeaderValue::to_str) {
//!         Some(Ok(user)) => user,
//!         _ => HttpException::unauthorized("Not authenticated")
//!             .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
//!             .raise(),
//!     }
//! }
//!
//! async fn greet(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, BoxError> {
//!     Ok(Response::new(Full::from(format!("hello {}", user(&request)))))
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! let service = ServiceBuilder::new().layer(ExceptionLayer::new()).service_fn(greet);
//! # let request = Request::new(Full::default());
//! # let response = tower::ServiceExt::oneshot(service, request).await.unwrap();
//! # assert_eq!(response.status(), 401);
//! # assert_eq!(response.headers()["www-authenticate"], "Bearer");
//! # }
//! ```
//!
//! # How an exception reaches the layer
//!
//! | way | how | what it costs |
//! | --- | --- | --- |
//! | returned | the inner service gives `Err(e)`: `e`, or anything in its chain of sources, is an [`HttpException`] or a [`WebSocketException`] | the least |
//! | attached | the response carries it: an axum handler gives back `Result<T, HttpException>`, or any service makes the response by [`Response::from`](http::Response#impl-From<HttpException>-for-Response<B>) | a little more |
//! | raised async | [`HttpException::raise_async`], from async code: the future never ends, and is dropped | about that of returning, however deep |
//! | raised | [`HttpException::raise`], from any code, sync or async; [`std::panic::panic_any`] of an exception counts too | an unwinding: microseconds |
//! | adopted | a plain error response, such as a router's 404, where [asked for](ExceptionLayer::adopt_error_responses) | reading its text |
//!
//! Any other error, and any panic, is a `500 {"detail":"Internal Server Error"}`: nothing of its text
//! reaches the client, unless a [handler](docs::handlers) says so. All of it is caught in `poll_ready`, in `call`, in the future, in the
//! response's body while it is sent (see [`ExceptionBody`]) and in handlers and renderers. The layer's own error
//! is [`Infallible`](std::convert::Infallible), so it fits where an axum router wants a layer.
//!
//! Which handler answers is told in [`docs::handlers`], when to return and when to raise in
//! [`docs::raising`], and how it is made in [`docs::design`].
//!
//! # WebSockets
//!
//! With the feature `websocket`, and `ExceptionLayer::with_upgrades`, a [`WebSocketException`] is a close frame
//! with its code and reason, whether it is raised before the handshake is answered or after it.
//!
//! # gRPC
//!
//! gRPC and gRPC-Web requests are known by their content type, and answered with a status in place of a response:
//! NOT_FOUND and `Item not found`, also where a stream of messages fails in its middle. See [`docs::grpc`].
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `axum` | `HttpException` is an `IntoResponse`, and a handler may reply whatever is one; implies `tokio` |
//! | `tokio` | the panic of a task, given back as a `JoinError`, counts as that panic, and the exception raised in it as that exception |
//! | `tonic` | `HttpException` becomes a `tonic::Status` by `?`, and the other way round; a `Status` is known where it is caught; JSON in a detail is told as structured details |
//! | `tower` | a status for each of tower's and tower-http's own errors, and `ServiceBuilderExt::catch_exceptions` for tower's `ServiceBuilder`; implies `tokio` |
//! | `tracing` | an event for everything that is caught: `ERROR` for a 5xx and for a panic, `DEBUG` else, with the chain of sources |
//! | `websocket` | `ExceptionLayer::with_upgrades`: exceptions of WebSockets as close frames, told in `docs::websocket`; implies `tokio` |
//! | `full` | all of them |
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod adopt;
mod body;
mod caught;
mod chain;
pub mod docs;
mod exception;
mod future;
mod grpc;
mod handlers;
mod integrations;
mod interrupt;
mod layer;
mod log;
mod observe;
mod panic;
mod raise;
pub mod render;
mod request_head;
mod response;
mod service;
mod settings;
mod thrown;
#[cfg(feature = "websocket")]
mod websocket;

#[cfg(feature = "tower")]
pub use integrations::ServiceBuilderExt;
#[cfg(feature = "websocket")]
pub use websocket::{CatchUpgraded, UpgradeHandle, Upgrades};
pub use {
    body::ExceptionBody,
    caught::{Caught, How, Place},
    exception::{
        CloseCode, Detail, Exception, HttpException, InvalidCloseCode, WebSocketException,
    },
    future::ResponseFuture,
    grpc::GrpcCode,
    handlers::{Handler, IntoReply, Reply},
    layer::ExceptionLayer,
    observe::Answer,
    panic::Panic,
    raise::{Catch, RaiseAsync, catch},
    request_head::RequestHead,
    service::ExceptionService,
    settings::{Custom, Plain, Settings},
};

/// The crates whose types stand in this one's signatures.
#[doc(no_inline)]
pub use {bytes, http, serde_json};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Runs the README's examples.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
struct Readme;
