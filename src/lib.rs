//! FastAPI-style exceptions for [tower](https://docs.rs/tower). Any code can raise one; the rest of
//! the request is abandoned and the client receives a proper response: JSON over HTTP, a close
//! frame over WebSocket, a status over gRPC and gRPC-Web. One [`ExceptionLayer`] does it.
//!
//! In axum, with the feature `axum` (without it, such a handler does not satisfy axum's
//! `Handler<_, _>`):
//!
#![cfg_attr(feature = "axum", doc = "```")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! use axum::{Json, Router, extract::Path, routing::get};
//! use tower_exception::{ExceptionLayer, HttpException, Result};
//!
//! async fn item(Path(id): Path<u32>) -> Result<Json<&'static str>> {
//!     match id {
//!         1 => Ok(Json("plumbus")),
//!         _ => Err(HttpException::not_found("Item not found"))?,
//!     }
//! }
//!
//! let app: Router = Router::new()
//!     .route("/items/{id}", get(item))
//!     .layer(ExceptionLayer::new().adopt_error_responses());
//! // GET /items/2  ->  404 {"detail":"Item not found"}
//! // GET /nowhere  ->  404 {"detail":"Not Found"}
//! ```
//!
//! In a handler that returns [`Result<T>`](crate::Result), `?` takes any error. One that is no
//! exception is a 500 that says nothing to the client, unless a [handler](#which-handler-answers)
//! for its type decides otherwise.
//!
//! In any other stack of tower services, without any feature:
//!
//! ```
//! use bytes::Bytes;
//! use http::{HeaderValue, Request, Response, header::WWW_AUTHENTICATE};
//! use http_body_util::Full;
//! use tower::{BoxError, ServiceBuilder};
//! use tower_exception::{ExceptionLayer, HttpException};
//!
//! /// Returns the user's name, from a call stack without `Result`s.
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
//! # Ways a failure reaches the layer
//!
//! A *failure* is anything that the layer catches: an exception, an error or a panic.
//!
//! | way | code | cost |
//! | --- | --- | --- |
//! | returned | the inner service returns `Err(e)` | the least |
//! | attached | the response carries the failure: an axum handler returned `Err` of an exception or an [`Error`], or a service used [`Response::from`](http::Response#impl-From<HttpException>-for-Response<B>) | slightly more |
//! | raised async | [`raise_async`](Raise::raise_async), in async code, at any depth: the future never completes, and the layer drops it | about that of returning |
//! | raised | [`raise`](HttpException::raise), in sync or async code, at any depth; also [`std::panic::panic_any`] of an error | an unwinding: microseconds |
//! | adopted | under [`adopt_error_responses`](ExceptionLayer::adopt_error_responses), a plain error response, such as a router's 404 | reading its text |
//!
//! The trait [`Raise`] gives both ways of raising to every error. For an error that is no
//! exception, and for a panic, the client receives `500 {"detail":"Internal Server Error"}`, unless
//! a handler says otherwise.
//!
//! The layer catches failures in `poll_ready`, in `call`, in the future, in the response body (see
//! [`ExceptionBody`]), and in handlers and renderers. The [raising guide](crate::raise) says when
//! to return and when to raise.
//!
//! # Which handler answers
//!
//! These are asked in this order, until one replies:
//!
//! 1. [`on_status`](ExceptionLayer::on_status), for a status or a range of them, if an
//!    [`HttpException`] with that status was caught, alone or in an error's chain of sources;
//! 2. [`on`](ExceptionLayer::on) and [`on_panic`](ExceptionLayer::on_panic), by type: the outermost
//!    error first, then each source, down to the first exception;
//! 3. [`on_status`](ExceptionLayer::on_status), for the status that any other failure has by
//!    default: 500 for an unknown error and a panic;
//! 4. [`on_any`](ExceptionLayer::on_any);
//! 5. the default: an exception is rendered as JSON. With the features `tower` and `hyper`, errors
//!    of tower and of broken request bodies have a status of their own. Anything else is the 500
//!    above.
//!
//! A handler takes a [`Caught`] and replies an exception, an [`Error`], a status or a response. Its
//! reply is final. [`Reply::decline`] and `()` are no reply: the next handler is asked.
//!
//! An inner layer's default rendering is provisional: a handler of an outer layer may replace it.
//! [`observe`](ExceptionLayer::observe) adds a function that is called once for each failure, with
//! the [`Outcome`]. The [handler guide](crate::handler) has the rules in full.
//!
//! # Errors of the layer
//!
//! The error type of [`ExceptionService`] is [`Infallible`](std::convert::Infallible), so that an
//! axum router accepts the layer. A body that fails after the response head has been sent ends with
//! an error. No client can take half of it for the whole, except
//! [over HTTP/1.0](crate::handler#bodies-that-end-early).
//!
//! # Order of layers
//!
//! Layers that work on the response (tracing, CORS, compression, sessions) belong outside of the
//! [`ExceptionLayer`], because `raise` skips the layers inside. The
//! [guide to the order of layers](crate::layer) has a place for each.
//!
//! # Cost
//!
//! If nothing is raised, the layer adds 31 ns to a request and allocates nothing. With five
//! handlers it adds 91 ns. A request takes 251 ns in all if its exception is returned, 312 ns if it
//! is raised async, and 2,030 ns or more if it is raised by unwinding. The README describes the
//! measurement.
//!
//! # gRPC
//!
//! The layer recognises gRPC and gRPC-Web requests by their content type and responds with a
//! status, such as NOT_FOUND and `Item not found`. A stream that fails in the middle also ends with
//! a status. See the [gRPC guide](crate::grpc).
//!
//! # WebSockets
//!
//! With the feature `websocket` and [`ExceptionLayer::with_websockets`][with_websockets], a
//! [`WebSocketException`] reaches the client as a close frame with its code and reason. It may be
//! raised before the handshake is answered or after it. See the [WebSocket guide][websocket].
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | adds |
//! | --- | --- |
//! | `anyhow` | a handler for a type finds it in an `anyhow::Error` |
//! | `axum` | exceptions and `Error` are `IntoResponse`; a handler may reply anything that is one; a nested router's whole path in the log; implies `hyper` and `tokio` |
//! | `debug-page` | `ExceptionLayer::with_debug_page`: a page for development and the last failures; off in release builds |
//! | `eyre` | a handler for a type finds it in an `eyre::Report` |
//! | `hyper` | a request body that the client breaks is a 400 or a 499, logged at `DEBUG` |
//! | `metrics` | the counter `tower_exception_failures_total` of the facade `metrics`: see [telemetry] |
//! | `tokio` | a `JoinError` counts as the panic, the exception or the error of its task |
//! | `tonic` | `?` makes a `tonic::Status` of an `HttpException` and of an `Error`, and a `Status` converts back; a caught `Status` keeps its code, message, details and metadata; JSON in a detail becomes structured details |
//! | `tower` | a status for each of tower's and tower-http's own errors, and `ServiceBuilderExt::catch_exceptions` for tower's `ServiceBuilder`; implies `tokio` |
//! | `tracing` | an [event](telemetry) for each failure, with the chain of sources, in OpenTelemetry's words: `ERROR` for a 5xx, a close code 1011, a panic and a body that was cut short, otherwise `DEBUG` |
//! | `tracing-error` | `Caught::span_trace`: the spans in which an error has arisen |
//! | `websocket` | `ExceptionLayer::with_websockets`: exceptions as WebSocket close frames; implies `hyper` and `tokio` |
//! | `full` | all of them |
//!
//! The minimum supported Rust version is 1.85.
//!
#![cfg_attr(
    feature = "websocket",
    doc = "[with_websockets]: ExceptionLayer::with_websockets"
)]
#![cfg_attr(feature = "websocket", doc = "[websocket]: crate::websocket")]
#![cfg_attr(
    not(feature = "websocket"),
    doc = "[with_websockets]: https://docs.rs/tower-exception/latest/tower_exception/struct.ExceptionLayer.html#method.with_websockets"
)]
#![cfg_attr(
    not(feature = "websocket"),
    doc = "[websocket]: https://docs.rs/tower-exception/latest/tower_exception/websocket/index.html"
)]
#![warn(missing_docs, unreachable_pub)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod adopt;
mod backtrace;
mod body;
mod caught;
mod clock;
pub mod comparison;
#[cfg(feature = "debug-page")]
pub mod debug_page;
mod diagnostics;
mod error;
mod escape;
mod exception;
mod exchange;
mod format;
mod future;
pub mod grpc;
pub mod handler;
mod handling;
mod headers;
mod ids;
mod integrations;
pub mod layer;
mod macros;
pub mod migrating;
mod panic_record;
pub mod panics;
mod protocols;
pub mod raise;
pub mod render;
mod report;
mod service;
mod shards;
pub mod stacks;
pub mod telemetry;
mod unwind;
#[cfg(feature = "websocket")]
pub mod websocket;
#[cfg(not(feature = "websocket"))]
#[path = "websocket/disabled.rs"]
mod websocket;

#[cfg(feature = "tower")]
pub use integrations::ServiceBuilderExt;
#[cfg(feature = "websocket")]
#[doc(inline)]
pub use websocket::{CatchWebSocket, WebSocketHandle, WebSockets};
#[doc(inline)]
pub use {
    body::ExceptionBody,
    caught::{Caught, IntoFailure, Mechanism, Panic, Phase, RequestHead},
    error::{BodyError, Error, Result},
    exception::{
        CloseCode, Detail, DetailOf, DetailRef, Exception, Fault, HttpException, InvalidCloseCode,
        InvalidMember, OrException, RequestPart, WebSocketException,
    },
    future::ResponseFuture,
    grpc::GrpcCode,
    handler::{Handler, IntoReply, Reply},
    ids::Ids,
    layer::ExceptionLayer,
    panic_record::SourceLocation,
    raise::{Catch, Raise, RaiseAsync, catch, catch_sync},
    report::Outcome,
    service::ExceptionService,
};

/// Markers of the configuration of a layer.
///
/// `C` in [`ExceptionLayer<C>`], [`ExceptionService<S, C>`], [`ResponseFuture<F, B, C>`] and
/// [`ExceptionBody<B, C>`] is one of them.
pub mod config {
    pub use crate::exchange::{Configured, LayerConfig, Unconfigured};
}

/// Traits and macros, for `use tower_exception::prelude::*;`.
pub mod prelude {
    pub use crate::{
        exception::OrException,
        macros::{bail, ensure},
        raise::Raise,
    };
}

#[cfg(feature = "tracing")]
#[doc(no_inline)]
pub use tracing;
/// The crates whose types are in the signatures of this one.
#[doc(no_inline)]
pub use {bytes, http, serde_json};

/// Runs the README's examples.
#[cfg(all(
    doctest,
    feature = "axum",
    feature = "debug-page",
    feature = "websocket"
))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Items that the macros use.
#[doc(hidden)]
pub mod __private {
    pub use std::format;
}
