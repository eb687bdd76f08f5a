//! One request below a layer, in process.

use std::{
    future::Future,
    panic,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_exception::{BodyError, ExceptionLayer, HttpException, IntoFailure};

use crate::guard::{Left, Trace};
pub use crate::support::{BoxError, LIMIT, panic_hook_runs, within};

pub type HttpRequest = Request<Full<Bytes>>;
pub type HttpResponse = Response<Full<Bytes>>;
pub type HttpResult = Result<HttpResponse, BoxError>;

pub const DETAIL: &str = "Item not found";

/// The exception that these tests raise.
pub fn exception() -> HttpException {
    HttpException::not_found(DETAIL)
}

pub fn ok(text: impl Into<Bytes>) -> HttpResult {
    Ok(Response::new(Full::new(text.into())))
}

/// Raises the exception, with a guard on the stack.
pub async fn raise<T>(trace: Trace) -> T {
    let _guard = trace.guard();
    exception().raise_async().await
}

/// A response of a service in process: its status, and its body or the body's error.
pub struct InProcessResponse {
    pub status: StatusCode,
    pub body: Result<Bytes, BoxError>,
}

impl InProcessResponse {
    #[track_caller]
    pub fn assert(&self, status: u16, body: impl AsRef<[u8]>) {
        let text = String::from_utf8_lossy(self.body.as_ref().unwrap());
        assert_eq!(self.status, status, "{text}");
        assert_eq!(text, String::from_utf8_lossy(body.as_ref()));
    }

    /// Asserts that this is the response to [`exception`].
    #[track_caller]
    pub fn assert_exception(&self) {
        self.assert(404, format!(r#"{{"detail":"{DETAIL}"}}"#));
    }

    /// Asserts that this is the response to an unknown error or a panic.
    #[track_caller]
    pub fn assert_error(&self) {
        self.assert(500, r#"{"detail":"Internal Server Error"}"#);
    }
}

/// Sends one request to `service`, and reads the response to its end.
///
/// # Panics
///
/// Panics if a panic hook runs on this thread meanwhile.
pub async fn ask<S, B>(service: S) -> InProcessResponse
where
    S: Service<HttpRequest, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let hook_runs = panic_hook_runs();
    let response = within(async {
        let response = match service.oneshot(Request::default()).await {
            Ok(response) => response,
            Err(error) => panic!("{}", error.into()),
        };
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body
            .map(|body| body.to_bytes())
            .map_err(|error| inner_error(error.into()));
        InProcessResponse { status, body }
    })
    .await;
    assert_eq!(panic_hook_runs(), hook_runs, "a panic hook ran");
    response
}

/// Serves one request with `future`, below a layer.
pub async fn serve<F, E, B>(future: F) -> InProcessResponse
where
    F: Future<Output = Result<Response<B>, E>>,
    E: IntoFailure,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut future = Some(future);
    let service = service_fn(move |_: HttpRequest| future.take().expect("one request"));
    ask(ExceptionLayer::new().layer(service)).await
}

/// Serves one request with the future that `handler` makes of a trace.
///
/// Asserts that the response is that to [`exception`], and that one guard recorded `expected`.
#[track_caller]
pub fn assert_caught<F>(
    expected: Left,
    handler: impl FnOnce(Trace) -> F,
) -> impl Future<Output = ()>
where
    F: Future<Output = HttpResult>,
{
    let location = panic::Location::caller();
    let trace = Trace::default();
    let future = handler(trace.clone());
    async move {
        serve(future).await.assert_exception();
        assert_eq!(trace.left(), [expected], "{location}");
    }
}

#[test]
fn a_run_of_the_panic_hook_is_counted() {
    let before = panic_hook_runs();
    assert!(panic::catch_unwind(|| panic!("on purpose")).is_err());
    assert_eq!(panic_hook_runs(), before + 1);
}

/// Polls `future` once, with the context of the caller.
pub async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx: &mut Context<'_>| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Returns the error that the layer's body holds, or the error itself if it is another body's.
fn inner_error(error: BoxError) -> BoxError {
    match error.downcast::<BodyError>() {
        Ok(error) => error.into_inner(),
        Err(error) => error,
    }
}
