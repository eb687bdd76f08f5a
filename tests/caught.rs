//! Every kind of failure in every part of a service: the client receives a response without
//! secrets, and the server goes on.

mod support;

use std::{
    error::Error,
    fmt, io,
    panic::panic_any,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tokio::sync::Notify;
use tower::{BoxError, Layer as _, Service, ServiceExt, buffer::Buffer, service_fn};
use tower_exception::{CloseCode, Exception, ExceptionLayer, HttpException, WebSocketException};

use support::{
    Client, Differences, PLAIN_500, PROTOCOLS, Protocol, SECRET_TEXT, SecretError, Server, body,
    panic_hook_runs, request, within,
};

/// One kind of failure.
#[derive(Clone, Copy, Debug)]
enum Failure {
    ReturnedException,
    ReturnedWebSocketException,
    ReturnedExceptionOfEitherKind,
    ReturnedExceptionWhoseDropPanics,
    ReturnedError,
    ReturnedErrorWhoseDropPanics,
    ReturnedErrorWhoseTextPanics,
    HiddenTwoDeep,
    HiddenUnderAnErrorWhoseDropPanics,
    HiddenInAnIoError,
    HiddenUnderATransparentError,
    HiddenInAnAnyhowError,
    HiddenUnderAnyhowContext,
    Raised,
    RaisedWebSocketException,
    RaisedExceptionWhoseDropPanics,
    PanickedWithException,
    PanickedWithExceptionOfEitherKind,
    PanickedWithStr,
    PanickedWithString,
    PanickedWithSomethingElse,
    PanickedWithWhatPanicsInDrop,
}

use Failure::*;

const RETURNED: [Failure; 13] = [
    ReturnedException,
    ReturnedWebSocketException,
    ReturnedExceptionOfEitherKind,
    ReturnedExceptionWhoseDropPanics,
    ReturnedError,
    ReturnedErrorWhoseDropPanics,
    ReturnedErrorWhoseTextPanics,
    HiddenTwoDeep,
    HiddenUnderAnErrorWhoseDropPanics,
    HiddenInAnIoError,
    HiddenUnderATransparentError,
    HiddenInAnAnyhowError,
    HiddenUnderAnyhowContext,
];

const UNWOUND: [Failure; 9] = [
    Raised,
    RaisedWebSocketException,
    RaisedExceptionWhoseDropPanics,
    PanickedWithException,
    PanickedWithExceptionOfEitherKind,
    PanickedWithStr,
    PanickedWithString,
    PanickedWithSomethingElse,
    PanickedWithWhatPanicsInDrop,
];

fn all_failures() -> impl Iterator<Item = Failure> {
    RETURNED.into_iter().chain(UNWOUND)
}

impl Failure {
    /// Returns the failure as an error, or unwinds with it.
    fn fail(self) -> BoxError {
        match self {
            ReturnedException => not_found().into(),
            ReturnedWebSocketException => no_swearing().into(),
            ReturnedExceptionOfEitherKind => Exception::Http(not_found()).into(),
            ReturnedExceptionWhoseDropPanics => not_found().with_source(Bomb(None)).into(),
            ReturnedError => SecretError.into(),
            ReturnedErrorWhoseDropPanics => Bomb(None).into(),
            ReturnedErrorWhoseTextPanics => Unspeakable.into(),
            HiddenTwoDeep => Outer(Outer(not_found().into()).into()).into(),
            HiddenUnderAnErrorWhoseDropPanics => Bomb(Some(not_found())).into(),
            HiddenInAnIoError => io::Error::other(not_found()).into(),
            HiddenUnderATransparentError => Transparent(not_found()).into(),
            HiddenInAnAnyhowError => anyhow::Error::new(not_found()).into(),
            HiddenUnderAnyhowContext => anyhow::Error::new(not_found()).context(SECRET_TEXT).into(),
            Raised => not_found().raise(),
            RaisedWebSocketException => no_swearing().raise(),
            RaisedExceptionWhoseDropPanics => not_found().with_source(Bomb(None)).raise(),
            PanickedWithException => panic_any(not_found()),
            PanickedWithExceptionOfEitherKind => panic_any(Exception::Http(not_found())),
            PanickedWithStr => panic!("the password is hunter2"),
            PanickedWithString => panic_any(String::from(SECRET_TEXT)),
            PanickedWithSomethingElse => panic_any(SecretError),
            PanickedWithWhatPanicsInDrop => panic_any(Bomb(None)),
        }
    }

    fn panics_in_drop(self) -> bool {
        matches!(
            self,
            ReturnedExceptionWhoseDropPanics
                | ReturnedErrorWhoseDropPanics
                | HiddenUnderAnErrorWhoseDropPanics
                | RaisedExceptionWhoseDropPanics
        )
    }

    /// Returns the expected response.
    fn response(self) -> &'static str {
        match self {
            ReturnedException
            | ReturnedExceptionOfEitherKind
            | ReturnedExceptionWhoseDropPanics
            | HiddenTwoDeep
            | HiddenUnderAnErrorWhoseDropPanics
            | HiddenInAnIoError
            | HiddenUnderATransparentError
            | HiddenInAnAnyhowError
            | HiddenUnderAnyhowContext
            | Raised
            | RaisedExceptionWhoseDropPanics
            | PanickedWithException
            | PanickedWithExceptionOfEitherKind => {
                r#"404 | content-length: 27 | content-type: application/json | x-hint: elsewhere | {"detail":"Item not found"}"#
            }
            ReturnedWebSocketException | RaisedWebSocketException => {
                r#"403 | content-length: 24 | content-type: application/json | {"detail":"no swearing"}"#
            }
            ReturnedError
            | ReturnedErrorWhoseDropPanics
            | ReturnedErrorWhoseTextPanics
            | PanickedWithStr
            | PanickedWithString
            | PanickedWithSomethingElse
            | PanickedWithWhatPanicsInDrop => PLAIN_500,
        }
    }
}

fn not_found() -> HttpException {
    HttpException::not_found("Item not found")
        .with_header(
            "x-hint".parse().unwrap(),
            HeaderValue::from_static("elsewhere"),
        )
        .with_source(SecretError)
}

fn no_swearing() -> WebSocketException {
    WebSocketException::new(CloseCode::POLICY_VIOLATION)
        .with_reason("no swearing")
        .with_source(SecretError)
}

/// An error with a source.
#[derive(Debug)]
struct Outer(BoxError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SECRET_TEXT)
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// An error that stands for the contained one, as thiserror's `#[error(transparent)]` generates it.
#[derive(Debug)]
struct Transparent(HttpException);

impl fmt::Display for Transparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Transparent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// A payload, or an error, whose `Drop` panics.
#[derive(Debug)]
struct Bomb(Option<HttpException>);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{SECRET_TEXT}");
    }
}

impl fmt::Display for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SECRET_TEXT)
    }
}

impl Error for Bomb {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_ref().map(|exception| exception as _)
    }
}

/// An error whose `Display` panics. Only a log displays it.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("{SECRET_TEXT}")
    }
}

impl Error for Unspeakable {}

/// The part of the stack that fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    PollReady,
    Call,
    Future,
    /// In the body, before its first frame.
    BodyStart,
    /// In the body, after the client has received its first frame.
    BodyMiddle,
    /// In the layer's own renderer, while it renders another exception.
    Renderer,
}

/// A service that fails in one way in one part, while it is armed. At `/slow` it sends a body that
/// ends when the gate is opened.
#[derive(Clone)]
struct FailingService {
    part: Part,
    failure: Failure,
    armed: Arc<AtomicBool>,
    gate: Arc<Notify>,
    slow_gate: Arc<Notify>,
}

type TestResponse = Response<UnsyncBoxBody<Bytes, BoxError>>;

impl FailingService {
    fn new(part: Part, failure: Failure) -> Self {
        Self {
            part,
            failure,
            armed: Arc::default(),
            gate: Arc::default(),
            slow_gate: Arc::default(),
        }
    }

    fn arm(&self) {
        self.armed.store(true, SeqCst);
    }

    fn disarm(&self) {
        self.armed.store(false, SeqCst);
    }

    /// Serves it under a layer.
    async fn serve(&self) -> Server {
        let failure = self.failure;
        match self.part {
            // A renderer cannot return an error, so it unwinds with it.
            Part::Renderer => {
                let layer = ExceptionLayer::new()
                    .with_renderer(move |_: &_, _: &_| panic_any(failure.fail()));
                Server::start(layer.layer(self.clone())).await
            }
            _ => Server::start(ExceptionLayer::new().layer(self.clone())).await,
        }
    }
}

impl Service<Request<Incoming>> for FailingService {
    type Response = TestResponse;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<TestResponse, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.part {
            Part::PollReady if self.armed.load(SeqCst) => Poll::Ready(Err(self.failure.fail())),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let Self { part, failure, .. } = *self;
        let gate = Arc::clone(&self.gate);
        let at_once = |result| -> Self::Future { Box::pin(async { result }) };
        if request.uri().path() == "/slow" {
            let gate = Arc::clone(&self.slow_gate);
            let body = in_two_halves("slow ", gate, || Ok("but sure"));
            return at_once(Ok(Response::new(body)));
        }
        if !self.armed.load(SeqCst) {
            return at_once(Ok(Response::new(fine())));
        }
        match part {
            Part::PollReady => unreachable!("a broken service was called"),
            Part::Call => at_once(Err(failure.fail())),
            Part::Future => Box::pin(async move {
                tokio::task::yield_now().await;
                Err(failure.fail())
            }),
            Part::BodyStart => {
                let body = body(stream::once(async move { Err(failure.fail()) }));
                at_once(Ok(Response::new(body)))
            }
            Part::BodyMiddle => {
                let body = in_two_halves("half a ", gate, move || Err(failure.fail()));
                at_once(Ok(Response::new(body)))
            }
            Part::Renderer => at_once(Err(HttpException::gone("gone").into())),
        }
    }
}

/// Returns a body of two frames. The second one is made when the gate is opened.
fn in_two_halves(
    first: &'static str,
    gate: Arc<Notify>,
    second: impl FnOnce() -> Result<&'static str, BoxError> + Send + 'static,
) -> UnsyncBoxBody<Bytes, BoxError> {
    let first = stream::once(async move { Ok(first) });
    let second = stream::once(async move {
        gate.notified().await;
        second()
    });
    body(first.chain(second))
}

fn fine() -> UnsyncBoxBody<Bytes, BoxError> {
    UnsyncBoxBody::new(Full::from("fine").map_err(BoxError::from))
}

/// Response of a service that is not armed.
const FINE: &str = "200 | content-length: 4 | fine";

/// Checks each failure in `part`, over each protocol: the client receives the expected response,
/// and the same connection serves the next request.
async fn assert_handled(part: Part, failures: impl Iterator<Item = Failure>) {
    let _log = support::log_to_sink();
    let mut differences = Differences::default();
    for failure in failures {
        for protocol in PROTOCOLS {
            let case = format!("{failure:?} in {part:?} over {protocol:?}");
            let service = FailingService::new(part, failure);
            let server = service.serve().await;
            let mut client = server.connect(protocol).await;
            let expected = match part {
                Part::Renderer => PLAIN_500,
                _ => failure.response(),
            };

            service.arm();
            differences.note(&case, &client.get("/").await, expected);
            service.disarm();
            differences.note(&format!("after {case}"), &client.get("/").await, FINE);
            let panics = server.panics().to_string();
            differences.note(&format!("panics that escaped, {case}"), &panics, "0");
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn failures_in_poll_ready_are_handled() {
    assert_handled(Part::PollReady, all_failures()).await;
}

#[tokio::test]
async fn failures_in_call_are_handled() {
    assert_handled(Part::Call, all_failures()).await;
}

#[tokio::test]
async fn failures_in_the_future_are_handled() {
    assert_handled(Part::Future, all_failures()).await;
}

#[tokio::test]
async fn failures_in_the_renderer_are_a_500() {
    assert_handled(Part::Renderer, all_failures()).await;
}

/// Checks each failure in a body. Over HTTP/1.1 the client notices an incomplete message. Over
/// HTTP/2 it notices a reset stream, and the other streams of the connection go on.
async fn assert_body_aborted(part: Part) {
    let _log = support::log_to_sink();
    for failure in all_failures() {
        for protocol in PROTOCOLS {
            let case = format!("{failure:?} in {part:?} over {protocol:?}");
            let service = FailingService::new(part, failure);
            let server = service.serve().await;
            let mut client = server.connect(protocol).await;

            let slow = match protocol {
                Protocol::Http1 => None,
                Protocol::Http2 => Some(client.send(request(Method::GET, "/slow")).await.unwrap()),
            };
            service.arm();
            let (received, error) = receive_until_error(&mut client, &service.gate).await;
            service.disarm();

            let before = if part == Part::BodyMiddle {
                "half a "
            } else {
                ""
            };
            assert_eq!(received, before, "{case}");
            match slow {
                None => {
                    assert!(says_incomplete(&error), "{case}: {error:?}");
                    client = server.connect(protocol).await;
                }
                Some(slow) => {
                    assert!(says_reset(&error), "{case}: {error:?}");
                    service.slow_gate.notify_one();
                    let slow = within(slow.into_body().collect()).await.unwrap();
                    assert_eq!(slow.to_bytes(), "slow but sure", "concurrently with {case}");
                }
            }
            assert_eq!(client.get("/").await, FINE, "after {case}");
            // The server, not the layer, drops the error of a body.
            if !failure.panics_in_drop() {
                assert_eq!(server.panics(), 0, "{case}");
            }
        }
    }
}

/// Receives a body up to its error. Opens the gate when the first frame has arrived.
async fn receive_until_error(client: &mut Client, gate: &Notify) -> (String, hyper::Error) {
    let mut received = String::new();
    let mut body = match client.send(request(Method::GET, "/")).await {
        Ok(response) => response.into_body(),
        Err(error) => return (received, error),
    };
    loop {
        match within(body.frame()).await.expect("ended without an error") {
            Ok(frame) => received += std::str::from_utf8(frame.data_ref().unwrap()).unwrap(),
            Err(error) => return (received, error),
        }
        gate.notify_one();
    }
}

fn says_incomplete(error: &hyper::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref());
    error.is_incomplete_message()
        || source.is_some_and(|source: &io::Error| source.kind() == io::ErrorKind::UnexpectedEof)
}

fn says_reset(error: &hyper::Error) -> bool {
    let source = error.source().map(ToString::to_string);
    source.is_some_and(|source| source.starts_with("stream error received"))
}

#[tokio::test]
async fn failures_in_the_body_before_its_first_frame_abort_it() {
    assert_body_aborted(Part::BodyStart).await;
}

#[tokio::test]
async fn failures_in_the_body_after_a_frame_abort_it() {
    assert_body_aborted(Part::BodyMiddle).await;
}

/// A service that always fails in `poll_ready`. Clones share the counters.
#[derive(Clone)]
struct Broken {
    failure: Failure,
    polls: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

impl<R> Service<R> for Broken {
    type Response = TestResponse;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<TestResponse, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.polls.fetch_add(1, SeqCst);
        Poll::Ready(Err(self.failure.fail()))
    }

    fn call(&mut self, _: R) -> Self::Future {
        self.calls.fetch_add(1, SeqCst);
        Box::pin(async { Ok(Response::new(fine())) })
    }
}

/// A buffer reuses one service, while a server would clone it for each connection.
#[tokio::test]
async fn a_broken_service_is_not_called_again_and_every_request_gets_its_failure() {
    let mut differences = Differences::default();
    for failure in all_failures() {
        let case = format!("{failure:?}");
        let broken = Broken {
            failure,
            polls: Arc::default(),
            calls: Arc::default(),
        };
        let service = ExceptionLayer::new().layer(broken.clone());
        let server = Server::start(Buffer::new(service, 4)).await;
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            for _ in 0..3 {
                differences.note(&case, &client.get("/").await, failure.response());
            }
        }
        assert_eq!(broken.polls.load(SeqCst), 1, "{case}");
        assert_eq!(broken.calls.load(SeqCst), 0, "{case}");
    }
    differences.assert_none();
}

#[tokio::test]
async fn a_clone_of_a_broken_service_is_polled_again() {
    let polls = Arc::<AtomicUsize>::default();
    let broken = Broken {
        failure: ReturnedError,
        polls: Arc::clone(&polls),
        calls: Arc::default(),
    };
    let mut service = ExceptionLayer::new().layer(broken);
    for _ in 0..2 {
        within(ServiceExt::<Request<()>>::ready(&mut service))
            .await
            .unwrap();
    }
    assert_eq!(polls.load(SeqCst), 1);
    let mut clone = service.clone();
    within(ServiceExt::<Request<()>>::ready(&mut clone))
        .await
        .unwrap();
    assert_eq!(polls.load(SeqCst), 2);
}

/// A future that ends by `end`, and counts its drops.
struct Ending {
    end: fn() -> Result<TestResponse, BoxError>,
    drop_panics: bool,
    drops: Arc<AtomicUsize>,
}

impl Future for Ending {
    type Output = Result<TestResponse, BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready((self.end)())
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.drops.fetch_add(1, SeqCst);
        if self.drop_panics {
            panic!("{SECRET_TEXT}");
        }
    }
}

#[tokio::test]
async fn the_inner_future_is_dropped_once() {
    type End = fn() -> Result<TestResponse, BoxError>;
    let ends: [(&str, End, bool, &str); 7] = [
        ("responds", || Ok(Response::new(fine())), false, FINE),
        ("fails", || Err(ReturnedError.fail()), false, PLAIN_500),
        (
            "fails, Drop panics",
            || Err(ReturnedError.fail()),
            true,
            PLAIN_500,
        ),
        ("panics", || Err(PanickedWithStr.fail()), false, PLAIN_500),
        (
            "panics, Drop panics",
            || Err(PanickedWithStr.fail()),
            true,
            PLAIN_500,
        ),
        ("raises", || Err(Raised.fail()), false, Raised.response()),
        (
            "raises, Drop panics",
            || Err(Raised.fail()),
            true,
            Raised.response(),
        ),
    ];
    let mut differences = Differences::default();
    for (case, end, drop_panics, expected) in ends {
        for protocol in PROTOCOLS {
            let drops = Arc::<AtomicUsize>::default();
            let counter = Arc::clone(&drops);
            let service = service_fn(move |_| Ending {
                end,
                drop_panics,
                drops: Arc::clone(&counter),
            });
            let server = Server::start(ExceptionLayer::new().layer(service)).await;
            let mut client = server.connect(protocol).await;
            for requests in 1..=2 {
                differences.note(case, &client.get("/").await, expected);
                assert_eq!(drops.load(SeqCst), requests, "{case}");
            }
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn raising_runs_no_panic_hook() {
    for (failure, runs) in [
        (Raised, 0),
        (RaisedWebSocketException, 0),
        (PanickedWithException, 1),
    ] {
        let service = FailingService::new(Part::Future, failure);
        let server = service.serve().await;
        let mut client = server.connect(Protocol::Http1).await;
        service.arm();
        let before = panic_hook_runs();
        assert_eq!(client.get("/").await, failure.response());
        assert_eq!(panic_hook_runs() - before, runs, "{failure:?}");
    }
}

/// A spawned task that unwinds returns a `JoinError`.
#[cfg(feature = "tokio")]
#[tokio::test]
async fn failures_in_a_spawned_task_are_handled() {
    async fn spawn(failure: Failure) -> Result<TestResponse, BoxError> {
        let error = tokio::spawn(async move { failure.fail() }).await?;
        unreachable!("returned {error}")
    }

    let _log = support::log_to_sink();
    let mut differences = Differences::default();
    for failure in UNWOUND {
        let service = service_fn(move |_| spawn(failure));
        let server = Server::start(ExceptionLayer::new().layer(service)).await;
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            for _ in 0..2 {
                differences.note(
                    &format!("{failure:?}"),
                    &client.get("/").await,
                    failure.response(),
                );
            }
        }
    }
    differences.assert_none();
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_cancelled_task_is_an_error() {
    let service = service_fn(async |_: Request<Incoming>| {
        let task = tokio::spawn(std::future::pending::<()>());
        task.abort();
        Ok::<TestResponse, BoxError>(task.await.map(|()| Response::new(fine()))?)
    });
    let server = Server::start(ExceptionLayer::new().layer(service)).await;
    let mut client = server.connect(Protocol::Http1).await;
    assert_eq!(client.get("/").await, PLAIN_500);
}
