//! Contracts of `tower::Service`, of `http_body::Body` and of the types of this crate.

mod support;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Empty, Full};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, limit::ConcurrencyLimit, service_fn};
use tower_exception::{
    CloseCode, Detail, Exception, ExceptionBody, ExceptionLayer, ExceptionService, HttpException,
    InvalidCloseCode, InvalidMember, Panic, RequestHead, ResponseFuture, WebSocketException, catch,
    config::Configured,
    config::Unconfigured,
    render::{Html, Json, Members, Negotiated, Problem, Rendered, Text, WithMediaType},
};

use support::{Protocol, Received, SECRET_TEXT, Server, request};

type TestResponse = Response<Full<Bytes>>;

/// Counts how often it is woken.
#[derive(Default)]
struct Alarm(AtomicUsize);

impl Alarm {
    fn rings(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Polls once, with a waker that does nothing.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn poll_ready<S: Service<Request<()>>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    service.poll_ready(&mut Context::from_waker(Waker::noop()))
}

fn get() -> Request<()> {
    Request::new(())
}

fn fine() -> Result<TestResponse, BoxError> {
    Ok(Response::new(Full::from("fine")))
}

#[test]
fn poll_ready_is_pending_until_the_inner_service_wakes_it() {
    /// Ready when it is opened.
    #[derive(Clone, Default)]
    struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

    impl Service<Request<()>> for Gate {
        type Response = TestResponse;
        type Error = BoxError;
        type Future = Ready<Result<TestResponse, BoxError>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            let (open, waker) = &mut *self.0.lock().unwrap();
            if *open {
                return Poll::Ready(Ok(()));
            }
            *waker = Some(cx.waker().clone());
            Poll::Pending
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            ready(fine())
        }
    }

    let gate = Gate::default();
    let mut service = ExceptionLayer::new().layer(gate.clone());
    let alarm = Arc::<Alarm>::default();
    let waker = Waker::from(Arc::clone(&alarm));
    let mut cx = Context::from_waker(&waker);
    for _ in 0..3 {
        assert!(service.poll_ready(&mut cx).is_pending());
    }
    assert_eq!(alarm.rings(), 0);

    let waker = {
        let mut gate = gate.0.lock().unwrap();
        gate.0 = true;
        gate.1.take().unwrap()
    };
    waker.wake();
    assert_eq!(alarm.rings(), 1);
    assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
}

/// The permit of the inner future is freed when a failure is handled, or when the server drops the
/// future, and not before.
#[test]
fn backpressure_passes_through() {
    let ends: [fn() -> Result<TestResponse, BoxError>; 4] = [
        fine,
        || Err(BoxError::from("no")),
        || panic!("{SECRET_TEXT}"),
        || HttpException::gone("x").raise(),
    ];
    support::panic_hook_runs();
    for end in ends {
        let (open, gate) = tokio::sync::watch::channel(false);
        let inner = service_fn(move |_: Request<()>| {
            let mut gate = gate.clone();
            async move {
                gate.wait_for(|open| *open).await?;
                end()
            }
        });
        let mut service = ExceptionLayer::new().layer(ConcurrencyLimit::new(inner, 1));

        assert!(poll_ready(&mut service).is_ready());
        let mut first = Box::pin(service.call(get()));
        assert!(poll_once(first.as_mut()).is_pending());
        let alarm = Arc::<Alarm>::default();
        let waker = Waker::from(Arc::clone(&alarm));
        let mut cx = Context::from_waker(&waker);
        assert!(service.poll_ready(&mut cx).is_pending());
        assert!(poll_ready(&mut service.clone()).is_pending());

        open.send(true).unwrap();
        assert_eq!(alarm.rings(), 0);
        let Poll::Ready(Ok(response)) = poll_once(first.as_mut()) else {
            panic!("no response")
        };
        // A future that failed is dropped before the response is returned. One that did not is
        // dropped by the server.
        let failed = response.status() != 200;
        assert_eq!(alarm.rings(), usize::from(failed), "{response:?}");
        drop(first);
        assert_eq!(alarm.rings(), 1, "{response:?}");
        assert!(service.poll_ready(&mut cx).is_ready());
    }
}

/// A service that records the calls of its methods, in order.
#[derive(Clone, Default)]
struct Recorder {
    entries: Arc<Mutex<Vec<&'static str>>>,
    polls_until_ready: usize,
}

impl Service<Request<()>> for Recorder {
    type Response = TestResponse;
    type Error = BoxError;
    type Future = Ready<Result<TestResponse, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.polls_until_ready > 0 {
            self.polls_until_ready -= 1;
            self.entries.lock().unwrap().push("pending");
            return Poll::Pending;
        }
        self.entries.lock().unwrap().push("ready");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        self.entries.lock().unwrap().push("call");
        ready(fine())
    }
}

/// The layer adds no poll and no call of its own.
#[test]
fn each_poll_and_each_call_passes_through_once() {
    let recorder = Recorder {
        polls_until_ready: 2,
        ..Recorder::default()
    };
    let mut service = ExceptionLayer::new().layer(recorder.clone());
    assert!(poll_ready(&mut service).is_pending());
    assert!(poll_ready(&mut service).is_pending());
    assert!(poll_ready(&mut service).is_ready());
    assert!(poll_ready(&mut service).is_ready());
    let mut future = pin!(service.call(get()));
    assert!(poll_once(future.as_mut()).is_ready());
    assert!(poll_ready(&mut service).is_ready());
    drop(service.call(get()));
    let expected = [
        "pending", "pending", "ready", "ready", "call", "ready", "call",
    ];
    assert_eq!(*recorder.entries.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_service_that_failed_in_poll_ready_is_never_called() {
    #[derive(Clone, Default)]
    struct Failing(Arc<Mutex<Vec<&'static str>>>);

    impl Service<Request<()>> for Failing {
        type Response = TestResponse;
        type Error = BoxError;
        type Future = BoxFuture<'static, Result<TestResponse, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            self.0.lock().unwrap().push("failed");
            Poll::Ready(Err(HttpException::bad_gateway("x").into()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            self.0.lock().unwrap().push("call");
            Box::pin(ready(fine()))
        }
    }

    let failing = Failing::default();
    let mut service = ExceptionLayer::new().layer(failing.clone());
    for _ in 0..3 {
        assert!(matches!(poll_ready(&mut service), Poll::Ready(Ok(()))));
        let received = Received::of(service.call(get()).await.unwrap()).await;
        let expected = r#"502 | content-type: application/json | {"detail":"x"}"#;
        assert_eq!(received.to_string(), expected);
    }
    assert_eq!(*failing.0.lock().unwrap(), ["failed"]);

    assert!(poll_ready(&mut service.clone()).is_ready());
    assert_eq!(*failing.0.lock().unwrap(), ["failed", "failed"]);
}

#[test]
#[should_panic = "polled after it was ready"]
fn a_future_that_failed_must_not_be_polled_again() {
    let mut service = ExceptionLayer::new().layer(service_fn(async |_: Request<()>| {
        Err::<TestResponse, _>(HttpException::gone("x"))
    }));
    let mut future = pin!(service.call(get()));
    assert!(poll_once(future.as_mut()).is_ready());
    let _ = poll_once(future);
}

#[test]
fn the_error_is_infallible_for_every_inner_error() {
    fn infallible<S: Service<Request<()>, Error = Infallible>>(_: &S) {}
    fn error<E>(_: Request<()>) -> Ready<Result<TestResponse, E>> {
        unreachable!()
    }
    let layer = ExceptionLayer::new();
    infallible(&layer.layer(service_fn(error::<Infallible>)));
    infallible(&layer.layer(service_fn(error::<HttpException>)));
    infallible(&layer.layer(service_fn(error::<std::io::Error>)));
    infallible(&layer.layer(service_fn(error::<BoxError>)));
    infallible(&layer.layer(service_fn(error::<anyhow::Error>)));
    infallible(&layer.layer(service_fn(error::<&'static str>)));
    infallible(&layer.layer(layer.layer(service_fn(error::<BoxError>))));
}

/// The auto traits depend on the type parameters only.
#[test]
fn types_have_the_auto_traits_of_their_parts() {
    fn value<T: Send + Sync + Unpin + 'static>() {}
    value::<CloseCode>();
    value::<Detail>();
    value::<Exception>();
    value::<HttpException>();
    value::<InvalidCloseCode>();
    value::<Panic>();
    value::<RequestHead>();
    value::<Rendered>();
    value::<WebSocketException>();
    value::<Json>();
    value::<Text>();
    value::<Html>();
    value::<Problem>();
    value::<Negotiated>();
    value::<WithMediaType<Json>>();
    value::<Members>();
    value::<InvalidMember>();
    value::<Unconfigured>();
    value::<Configured>();
    value::<ExceptionLayer>();
    value::<ExceptionLayer<Configured>>();

    type Service<S> = ExceptionService<S>;
    type Future<F> = ResponseFuture<F, ()>;
    type ConfiguredBody<B> = ExceptionBody<B, Configured>;
    type NotSync = std::cell::Cell<u8>;
    type NotUnpin = std::marker::PhantomPinned;
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    fn unpin<T: Unpin>() {}
    send::<(Service<NotSync>, Future<NotSync>, ExceptionBody<NotSync>)>();
    sync::<(Service<NotUnpin>, Future<NotUnpin>)>();
    sync::<(ExceptionBody<NotUnpin>, ConfiguredBody<NotUnpin>)>();
    unpin::<(Service<NotSync>, Future<NotSync>, ExceptionBody<NotSync>)>();
}

#[test]
fn small_types_are_copy_and_all_types_are_debug() {
    fn copy<T: Copy>() {}
    fn debug<T: std::fmt::Debug>() {}
    copy::<ExceptionLayer>();
    copy::<CloseCode>();
    debug::<ExceptionLayer<Configured>>();
    debug::<ExceptionService<()>>();
    debug::<ResponseFuture<(), ()>>();
    debug::<ExceptionBody<()>>();
}

#[test]
fn debug_texts_are_short() {
    let service = service_fn(|_: Request<Full<Bytes>>| ready(fine()));
    let exceptions = Negotiated::new(Problem::new()).or(Json);
    let raised = HttpException::new(http::StatusCode::GONE).raise_async::<()>();
    for (text, expected) in [
        (
            format!("{:?}", ExceptionLayer::new()),
            "ExceptionLayer { .. }",
        ),
        (
            format!("{:?}", ExceptionService::new("inner")),
            "ExceptionService { inner: \"inner\", broken: false, .. }",
        ),
        (
            format!(
                "{:?}",
                ExceptionService::new(service).call(Request::default())
            ),
            "ResponseFuture { .. }",
        ),
        (
            format!("{:?}", ExceptionBody::<Empty<Bytes>>::default()),
            "ExceptionBody { .. }",
        ),
        (format!("{:?}", catch(ready(()))), "Catch { .. }"),
        (format!("{:?}", Html::new()), "Html { .. }"),
        (
            format!("{:?}", Problem::new()),
            "Problem { types_under: None, .. }",
        ),
        (
            format!("{exceptions:?}"),
            "[application/problem+json, application/json]",
        ),
    ] {
        assert_eq!(text, expected);
    }
    let text = format!("{raised:?}");
    assert!(text.starts_with("RaiseAsync { raised: Some("), "{text}");
}

/// A body with this size hint, at its end or not.
struct SizedBody {
    lower: u64,
    upper: Option<u64>,
    ended: bool,
}

impl Body for SizedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.lower);
        if let Some(upper) = self.upper {
            hint.set_upper(upper);
        }
        hint
    }
}

async fn guarded<B>(body: B) -> ExceptionBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let body = Mutex::new(Some(body));
    let take = service_fn(|_: Request<()>| {
        ready(Ok::<_, BoxError>(Response::new(
            body.lock().unwrap().take().unwrap(),
        )))
    });
    let response = ExceptionLayer::new().layer(take).call(get()).await;
    response.unwrap().into_body()
}

#[tokio::test]
async fn size_hint_and_end_of_a_body_pass_through() {
    for (lower, upper) in [(0, None), (7, Some(7)), (3, Some(14))] {
        for ended in [false, true] {
            let body = guarded(SizedBody {
                lower,
                upper,
                ended,
            })
            .await;
            let hint = body.size_hint();
            assert_eq!((hint.lower(), hint.upper()), (lower, upper));
            assert_eq!(body.is_end_stream(), ended);
            let mut body = pin!(body);
            let poll = body
                .as_mut()
                .poll_frame(&mut Context::from_waker(Waker::noop()));
            assert!(poll.is_pending());
        }
    }
    assert!(guarded(Empty::new()).await.is_end_stream());
}

#[tokio::test]
async fn a_rendered_body_knows_its_length() {
    let service =
        service_fn(async |_: Request<()>| Err::<TestResponse, _>(HttpException::gone("sold out")));
    let response = ExceptionLayer::new().layer(service).call(get()).await;
    let mut body = response.unwrap().into_body();
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(body.size_hint().exact(), Some(21));
    assert!(!body.is_end_stream());
    let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) else {
        panic!("no frame")
    };
    assert_eq!(frame.into_data().unwrap(), r#"{"detail":"sold out"}"#);
    assert_eq!(body.size_hint().lower(), 0);
    assert!(body.is_end_stream());
    assert!(matches!(
        Pin::new(&mut body).poll_frame(&mut cx),
        Poll::Ready(None)
    ));
}

/// Returns a body of two data frames, followed by the result of `end`.
fn frames(
    end: fn() -> Option<Result<Frame<Bytes>, BoxError>>,
) -> impl Body<Data = Bytes, Error = BoxError> + Unpin + Send {
    let mut next = 0;
    http_body_util::StreamBody::new(futures_util::stream::poll_fn(move |_| {
        next += 1;
        Poll::Ready(match next {
            1 => Some(Ok(Frame::data(Bytes::from("one, ")))),
            2 => Some(Ok(Frame::data(Bytes::from("two")))),
            _ => end(),
        })
    }))
}

#[tokio::test]
async fn a_body_that_raised_yields_the_exception_and_then_ends() {
    support::panic_hook_runs();
    let ends: [(fn() -> _, &str); 3] = [
        (|| HttpException::gone("sold out").raise(), "410: sold out"),
        (
            || panic!("the password is hunter2"),
            "panicked: the password is hunter2",
        ),
        (|| std::panic::panic_any(7), "panicked"),
    ];
    for (end, expected) in ends {
        let mut body = guarded(frames(end)).await;
        let mut cx = Context::from_waker(Waker::noop());
        let mut poll = || Pin::new(&mut body).poll_frame(&mut cx);
        for _ in 0..2 {
            assert!(matches!(poll(), Poll::Ready(Some(Ok(_)))));
        }
        let Poll::Ready(Some(Err(error))) = poll() else {
            panic!("no error")
        };
        assert_eq!(error.to_string(), expected);
        assert!(matches!(poll(), Poll::Ready(None)));
        assert!(body.is_end_stream());
    }
}

/// gRPC depends on them.
#[tokio::test]
async fn trailers_reach_the_client() {
    let service = service_fn(async |_: Request<_>| {
        let body = frames(|| {
            let mut trailers = HeaderMap::new();
            trailers.append("grpc-status", HeaderValue::from_static("0"));
            trailers.append("x-twice", HeaderValue::from_static("1"));
            trailers.append("x-twice", HeaderValue::from_static("2"));
            Some(Ok(Frame::trailers(trailers)))
        });
        Ok::<_, BoxError>(Response::new(body))
    });
    let server = Server::start(ExceptionLayer::new().layer(service)).await;
    let mut client = server.connect(Protocol::Http2).await;
    let received = client.exchange(request(Method::GET, "/")).await.unwrap();
    assert_eq!(received.to_string(), "200 | one, two");
    let trailers = received.trailers.unwrap();
    assert_eq!(trailers["grpc-status"], "0");
    let twice: Vec<_> = trailers.get_all("x-twice").iter().collect();
    assert_eq!(twice, ["1", "2"]);
}

/// An error whose `source` panics.
#[derive(Debug)]
struct PanicsInSource;

impl std::fmt::Display for PanicsInSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("secret")
    }
}

impl std::error::Error for PanicsInSource {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        panic!("no source for you")
    }
}

#[tokio::test]
async fn an_error_whose_source_panics_is_a_500() {
    async fn fails(_: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, PanicsInSource> {
        Err(PanicsInSource)
    }
    let request = || Request::new(Full::default());

    let plain = ExceptionLayer::new().layer(service_fn(fails));
    assert_eq!(plain.oneshot(request()).await.unwrap().status(), 500);

    let custom = ExceptionLayer::new()
        .with_renderer(Json)
        .layer(service_fn(fails));
    assert_eq!(custom.oneshot(request()).await.unwrap().status(), 500);
}
