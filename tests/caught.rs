//! Whatever is thrown, wherever it is thrown: the client is answered, told nothing that it must not know,
//! and the server goes on.

mod common;

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

use common::{
    Client, Differences, PLAIN_500, PROTOCOLS, Protocol, SECRET_TEXT, SecretError, Server, body,
    panic_hook_runs, request, within,
};

/// What is thrown.
#[derive(Clone, Copy, Debug)]
enum Thing {
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

use Thing::*;

const RETURNED: [Thing; 13] = [
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

const UNWOUND: [Thing; 9] = [
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

fn all_things() -> impl Iterator<Item = Thing> {
    RETURNED.into_iter().chain(UNWOUND)
}

impl Thing {
    /// Returns it for an error, or unwinds with it.
    fn throw(self) -> BoxError {
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

    /// What the client is answered.
    fn answer(self) -> &'static str {
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

/// An error around another one.
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

/// An error that stands for the one that it holds, as thiserror's `#[error(transparent)]` makes it.
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

/// An error whose `Display` panics, which nothing but a log has a use for.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("{SECRET_TEXT}")
    }
}

impl Error for Unspeakable {}

/// Where it is thrown.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    PollReady,
    Call,
    Future,
    /// In the body, before its first frame.
    BodyStart,
    /// In the body, when the client has its first frame.
    BodyMiddle,
    /// In the layer's own renderer, while it renders another exception.
    Renderer,
}

/// A service that throws one thing at one place, while it is armed. At `/slow` it sends a body that ends
/// when the gate is opened.
#[derive(Clone)]
struct Thrower {
    place: Place,
    thing: Thing,
    armed: Arc<AtomicBool>,
    gate: Arc<Notify>,
    slow_gate: Arc<Notify>,
}

type TestResponse = Response<UnsyncBoxBody<Bytes, BoxError>>;

impl Thrower {
    fn new(place: Place, thing: Thing) -> Self {
        Self {
            place,
            thing,
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

    /// On a socket, under a layer.
    async fn serve(&self) -> Server {
        let thing = self.thing;
        match self.place {
            // A renderer has no error to return, so that it unwinds with that too.
            Place::Renderer => {
                let layer =
                    ExceptionLayer::new().render(move |_: &_, _: &_| panic_any(thing.throw()));
                Server::start(layer.layer(self.clone())).await
            }
            _ => Server::start(ExceptionLayer::new().layer(self.clone())).await,
        }
    }
}

impl Service<Request<Incoming>> for Thrower {
    type Response = TestResponse;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<TestResponse, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.place {
            Place::PollReady if self.armed.load(SeqCst) => Poll::Ready(Err(self.thing.throw())),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let Self { place, thing, .. } = *self;
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
        match place {
            Place::PollReady => unreachable!("called though it is broken"),
            Place::Call => at_once(Err(thing.throw())),
            Place::Future => Box::pin(async move {
                tokio::task::yield_now().await;
                Err(thing.throw())
            }),
            Place::BodyStart => {
                let body = body(stream::once(async move { Err(thing.throw()) }));
                at_once(Ok(Response::new(body)))
            }
            Place::BodyMiddle => {
                let body = in_two_halves("half a ", gate, move || Err(thing.throw()));
                at_once(Ok(Response::new(body)))
            }
            Place::Renderer => at_once(Err(HttpException::gone("gone").into())),
        }
    }
}

/// A body of two frames, the second of which is made when the gate is opened.
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

/// What a client is answered by a service that is not armed.
const FINE: &str = "200 | content-length: 4 | fine";

/// One thing after the other, thrown at `place`, over each protocol: the client is answered, and the same
/// connection answers the next request.
async fn is_answered(place: Place, things: impl Iterator<Item = Thing>) {
    let _log = common::log_to_nowhere();
    let mut differences = Differences::default();
    for thing in things {
        for protocol in PROTOCOLS {
            let case = format!("{thing:?} in {place:?} over {protocol:?}");
            let thrower = Thrower::new(place, thing);
            let server = thrower.serve().await;
            let mut client = server.connect(protocol).await;
            let expected = match place {
                Place::Renderer => PLAIN_500,
                _ => thing.answer(),
            };

            thrower.arm();
            differences.note(&case, &client.get("/").await, expected);
            thrower.disarm();
            differences.note(&format!("after {case}"), &client.get("/").await, FINE);
            let panics = server.panics().to_string();
            differences.note(&format!("panics that got out, {case}"), &panics, "0");
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn in_poll_ready() {
    is_answered(Place::PollReady, all_things()).await;
}

#[tokio::test]
async fn in_call() {
    is_answered(Place::Call, all_things()).await;
}

#[tokio::test]
async fn in_the_future() {
    is_answered(Place::Future, all_things()).await;
}

#[tokio::test]
async fn in_the_renderer() {
    is_answered(Place::Renderer, all_things()).await;
}

/// One thing after the other, thrown by a body: over HTTP/1.1 the client notices that the message is not
/// whole, over HTTP/2 that the stream was reset, while the other streams of the connection go on.
async fn cuts_the_body_short(place: Place) {
    let _log = common::log_to_nowhere();
    for thing in all_things() {
        for protocol in PROTOCOLS {
            let case = format!("{thing:?} in {place:?} over {protocol:?}");
            let thrower = Thrower::new(place, thing);
            let server = thrower.serve().await;
            let mut client = server.connect(protocol).await;

            let slow = match protocol {
                Protocol::Http1 => None,
                Protocol::Http2 => Some(client.send(request(Method::GET, "/slow")).await.unwrap()),
            };
            thrower.arm();
            let (received, error) = receive_until_error(&mut client, &thrower.gate).await;
            thrower.disarm();

            let before = if place == Place::BodyMiddle {
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
                    thrower.slow_gate.notify_one();
                    let slow = within(slow.into_body().collect()).await.unwrap();
                    assert_eq!(slow.to_bytes(), "slow but sure", "beside {case}");
                }
            }
            assert_eq!(client.get("/").await, FINE, "after {case}");
            // A body's error is the server's to drop, which is none of the layer's business.
            if !thing.panics_in_drop() {
                assert_eq!(server.panics(), 0, "{case}");
            }
        }
    }
}

/// What comes of a body before it fails. The gate is opened when the first frame has come.
async fn receive_until_error(client: &mut Client, gate: &Notify) -> (String, hyper::Error) {
    let mut received = String::new();
    let mut body = match client.send(request(Method::GET, "/")).await {
        Ok(response) => response.into_body(),
        Err(error) => return (received, error),
    };
    loop {
        match within(body.frame())
            .await
            .expect("ended as if it were whole")
        {
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
async fn in_the_body_before_its_first_frame() {
    cuts_the_body_short(Place::BodyStart).await;
}

#[tokio::test]
async fn in_the_body_after_a_frame() {
    cuts_the_body_short(Place::BodyMiddle).await;
}

/// A service that fails in `poll_ready`, whatever is done with it. Clones share the counters.
#[derive(Clone)]
struct Broken {
    thing: Thing,
    polls: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

impl<R> Service<R> for Broken {
    type Response = TestResponse;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<TestResponse, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.polls.fetch_add(1, SeqCst);
        Poll::Ready(Err(self.thing.throw()))
    }

    fn call(&mut self, _: R) -> Self::Future {
        self.calls.fetch_add(1, SeqCst);
        Box::pin(async { Ok(Response::new(fine())) })
    }
}

/// The same service again and again: behind a buffer, since a server would clone it for each request.
#[tokio::test]
async fn a_broken_service_is_left_alone_and_answered_for() {
    let mut differences = Differences::default();
    for thing in all_things() {
        let case = format!("{thing:?}");
        let broken = Broken {
            thing,
            polls: Arc::default(),
            calls: Arc::default(),
        };
        let service = ExceptionLayer::new().layer(broken.clone());
        let server = Server::start(Buffer::new(service, 4)).await;
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            for _ in 0..3 {
                differences.note(&case, &client.get("/").await, thing.answer());
            }
        }
        assert_eq!(broken.polls.load(SeqCst), 1, "{case}");
        assert_eq!(broken.calls.load(SeqCst), 0, "{case}");
    }
    differences.assert_none();
}

#[tokio::test]
async fn a_clone_of_a_broken_service_starts_anew() {
    let polls = Arc::<AtomicUsize>::default();
    let broken = Broken {
        thing: ReturnedError,
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

/// A future that ends in one way or another, and counts how often it is dropped.
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
        ("answers", || Ok(Response::new(fine())), false, FINE),
        ("fails", || Err(ReturnedError.throw()), false, PLAIN_500),
        (
            "fails, Drop panics",
            || Err(ReturnedError.throw()),
            true,
            PLAIN_500,
        ),
        ("panics", || Err(PanickedWithStr.throw()), false, PLAIN_500),
        (
            "panics, Drop panics",
            || Err(PanickedWithStr.throw()),
            true,
            PLAIN_500,
        ),
        ("raises", || Err(Raised.throw()), false, Raised.answer()),
        (
            "raises, Drop panics",
            || Err(Raised.throw()),
            true,
            Raised.answer(),
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
    for (thing, runs) in [
        (Raised, 0),
        (RaisedWebSocketException, 0),
        (PanickedWithException, 1),
    ] {
        let thrower = Thrower::new(Place::Future, thing);
        let server = thrower.serve().await;
        let mut client = server.connect(Protocol::Http1).await;
        thrower.arm();
        let before = panic_hook_runs();
        assert_eq!(client.get("/").await, thing.answer());
        assert_eq!(panic_hook_runs() - before, runs, "{thing:?}");
    }
}

/// What a task that was spawned unwinds with comes back as a `JoinError`.
#[cfg(feature = "tokio")]
#[tokio::test]
async fn in_a_spawned_task() {
    async fn spawn(thing: Thing) -> Result<TestResponse, BoxError> {
        let error = tokio::spawn(async move { thing.throw() }).await?;
        unreachable!("returned {error}")
    }

    let _log = common::log_to_nowhere();
    let mut differences = Differences::default();
    for thing in UNWOUND {
        let service = service_fn(move |_| spawn(thing));
        let server = Server::start(ExceptionLayer::new().layer(service)).await;
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            for _ in 0..2 {
                differences.note(
                    &format!("{thing:?}"),
                    &client.get("/").await,
                    thing.answer(),
                );
            }
        }
    }
    differences.assert_none();
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_spawned_task_that_was_cancelled_is_an_error() {
    let service = service_fn(async |_: Request<Incoming>| {
        let task = tokio::spawn(std::future::pending::<()>());
        task.abort();
        Ok::<TestResponse, BoxError>(task.await.map(|()| Response::new(fine()))?)
    });
    let server = Server::start(ExceptionLayer::new().layer(service)).await;
    let mut client = server.connect(Protocol::Http1).await;
    assert_eq!(client.get("/").await, PLAIN_500);
}
