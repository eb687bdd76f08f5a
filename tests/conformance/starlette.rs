//! Assertions of Starlette's and FastAPI's own tests of exceptions, as cases for the layer, with
//! axum as the framework and over real sockets.
//!
//! A test has the name of the test function that it stands for. If the place of the failure allows
//! it, the exception or the error leaves its handler by each of [`EXITS`].
//!
//! | suite | module |
//! | --- | --- |
//! | Starlette's `test_exceptions`, `middleware/test_errors`, and parts of `test_applications` and `test_routing` | [`http`] |
//! | FastAPI's `test_exception_handlers`, `test_starlette_exception`, `test_custom_middleware_exception`, `test_dependency_yield_except_httpexception` | [`fastapi`] |
//! | those of WebSockets: `test_websockets`, `test_applications`, `test_ws_router`, `test_dependency_after_yield_websockets` | [`websockets`] |
//!
//! Left out, because they do not apply:
//!
//! | test | reason |
//! | --- | --- |
//! | `test_http_repr`, `test_websocket_repr` | Rust's `Debug` has another form, and it hides headers |
//! | `test_http_exception_does_not_use_threadpool` | handlers run in the request's task |
//! | `test_debug_text`, `test_debug_html`, `test_app_debug` | the page for development: `tests/debug_page` |
//! | `test_background_task` | axum has no tasks after a response; one that is spawned is outside of the layer |
//! | `test_middleware` of `test_applications` | tests a middleware for hosts |
//! | `test_send_response_multi`, `_unsupported`, `_duplicate_start`, `test_duplicate_close`, `test_duplicate_disconnect` | the order of ASGI's messages |
//! | `test_depend_err_middleware` | it sends 1006, which may not be sent: `CloseCode` refuses it |
//! | `test_ws_dependencies`, `test_validation_error_context` | no exception reaches a client; a text of pydantic's |
//! | `test_openapi_schema` | no schemas |
//!
//! The tutorial of FastAPI and its recorded responses are in `tests/parity`.

mod fastapi;
mod http;
mod websockets;

use std::error::Error;

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
    routing::{MethodRouter, any},
};
use tower_exception::{Caught, HttpException, prelude::*};

use crate::support::{Differences, Server};

/// The ways in which an error leaves its handler, as the first segment of a path.
pub const EXITS: [&str; 3] = ["returned", "raised", "raised-async"];

/// Python's `RuntimeError`: an error that no table knows.
#[derive(Debug, thiserror::Error)]
#[error("Yikes, the password is hunter2")]
pub struct RuntimeError;

/// Leaves the handler by this exit.
pub async fn leave<E>(exit: &str, error: E) -> tower_exception::Result<Response>
where
    E: Error + Send + Sync + 'static,
{
    match exit {
        "returned" => Err(error.into()),
        "raised" => error.raise(),
        "raised-async" => error.raise_async().await,
        other => unreachable!("{other}"),
    }
}

/// Returns a handler for any method that always fails. Its path has the exit as `{exit}`.
pub fn failing<E>(error: fn() -> E) -> MethodRouter
where
    E: Error + Send + Sync + 'static,
{
    any(move |Path(exit): Path<String>| async move { leave(&exit, error()).await })
}

/// Responds as Starlette does by default: with the detail or the reason as a text.
pub fn plain_text(exception: Caught<HttpException>) -> impl IntoResponse {
    let text = exception.detail_or_reason().to_string();
    (exception.status(), exception.headers().clone(), text)
}

/// Sends a `GET` to a path below each exit, and compares the whole response.
pub async fn assert_got(server: &Server, path: &str, expected: &str) {
    let mut differences = Differences::default();
    for exit in EXITS {
        let path = format!("/{exit}{path}");
        let received = server.get(&path).await;
        assert!(!received.aborted, "{path}");
        differences.note(&path, &received.to_string(), expected);
    }
    differences.assert_none();
}
