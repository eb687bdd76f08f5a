//! One request below a layer, and how it was left.

use std::{
    cell::Cell,
    error::Error,
    future::Future,
    panic,
    pin::Pin,
    sync::{Arc, Mutex, Once},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_exception::{ExceptionLayer, HttpException};

pub type BoxError = Box<dyn Error + Send + Sync>;
pub type HttpRequest = Request<Full<Bytes>>;
pub type HttpResponse = Response<Full<Bytes>>;
pub type HttpResult = Result<HttpResponse, BoxError>;

/// Longer than any test takes that does not hang.
pub const LIMIT: Duration = Duration::from_secs(20);

pub const DETAIL: &str = "Item not found";

/// What is raised all over these tests.
pub fn exception() -> HttpException {
    HttpException::not_found(DETAIL)
}

pub fn ok(text: impl Into<Bytes>) -> HttpResult {
    Ok(Response::new(Full::new(text.into())))
}

/// How a function was left before its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Left {
    /// Its future was dropped where it waited.
    Dropped,
    /// It was unwound.
    Unwound,
}

/// Tells how the functions were left that asked for a [`guard`](Self::guard): one entry a guard.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<Left>>>);

pub struct Guard(Trace);

impl Trace {
    pub fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    pub fn left(&self) -> Vec<Left> {
        self.0.lock().unwrap().clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // True also during a `resume_unwind`, which runs no panic hook.
        let left = if thread::panicking() {
            Left::Unwound
        } else {
            Left::Dropped
        };
        self.0.0.lock().unwrap().push(left);
    }
}

#[test]
fn a_guard_knows_an_unwinding_from_a_drop() {
    let trace = Trace::default();
    drop(trace.guard());
    let guard = trace.guard();
    let unwinding = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let _guard = guard;
        exception().raise();
    }));
    assert!(unwinding.is_err());
    assert_eq!(trace.left(), [Left::Dropped, Left::Unwound]);
}

/// The function that raises, with a guard in it.
pub async fn raise<T>(trace: Trace) -> T {
    let _guard = trace.guard();
    exception().raise_async().await
}

/// Fails, rather than hang, where `future` does.
pub async fn within_limit<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future).await.expect("hangs")
}

/// What a client got.
pub struct Answer {
    pub status: StatusCode,
    pub body: Result<Bytes, BoxError>,
}

impl Answer {
    #[track_caller]
    pub fn assert(&self, status: u16, body: impl AsRef<[u8]>) {
        let text = String::from_utf8_lossy(self.body.as_ref().unwrap());
        assert_eq!(self.status, status, "{text}");
        assert_eq!(text, String::from_utf8_lossy(body.as_ref()));
    }

    #[track_caller]
    pub fn assert_exception(&self) {
        self.assert(404, format!(r#"{{"detail":"{DETAIL}"}}"#));
    }

    #[track_caller]
    pub fn assert_error(&self) {
        self.assert(500, r#"{"detail":"Internal Server Error"}"#);
    }
}

/// Has `service` answer one request, body and all. No panic hook may run on this thread meanwhile.
pub async fn ask<S, B>(service: S) -> Answer
where
    S: Service<HttpRequest, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let hooks = hooks_run();
    let answer = within_limit(async {
        let response = match service.oneshot(Request::default()).await {
            Ok(response) => response,
            Err(error) => panic!("{}", error.into()),
        };
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body
            .map(|body| body.to_bytes())
            .map_err(|error| error.into());
        Answer { status, body }
    })
    .await;
    assert_eq!(hooks_run(), hooks, "a panic hook ran");
    answer
}

/// Serves one request with `future`, below a layer.
pub async fn serve<F, E, B>(future: F) -> Answer
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut future = Some(future);
    let service = service_fn(move |_: HttpRequest| future.take().expect("one request"));
    ask(ExceptionLayer::new().layer(service)).await
}

/// Serves one request with what `handler` makes of a trace; it must come to the exception, and what had a
/// guard must have been left just once, in this way.
#[track_caller]
pub fn answered<F>(expected: Left, handler: impl FnOnce(Trace) -> F) -> impl Future<Output = ()>
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

/// How many panic hooks have run on this thread since this was first asked.
pub fn hooks_run() -> u32 {
    thread_local!(static RUN: Cell<u32> = const { Cell::new(0) });
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            RUN.set(RUN.get() + 1);
            previous(info);
        }));
    });
    RUN.get()
}

#[test]
fn a_hook_that_runs_is_counted() {
    let before = hooks_run();
    assert!(panic::catch_unwind(|| panic!("on purpose")).is_err());
    assert_eq!(hooks_run(), before + 1);
}

/// Polls `future` once, with the caller's context.
pub async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx: &mut Context<'_>| Poll::Ready(future.as_mut().poll(cx))).await
}
