//! Effects of unwinding on locks, pools and workers, as the raising guide describes them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, Once, OnceLock, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    thread,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::Full;
use tokio::sync::{mpsc, oneshot};
use tower::{BoxError, Service, ServiceBuilder, retry::Policy, service_fn};
use tower_exception::{Error, HttpException, ServiceBuilderExt as _, catch};

use crate::support::{PLAIN_500, Received, Server, within};

type TestResponse = Response<Full<Bytes>>;

const GONE: &str =
    r#"410 | content-length: 21 | content-type: application/json | {"detail":"sold out"}"#;
const CLOSED: &str = r#"503 | content-length: 32 | content-type: application/json | {"detail":"Service Unavailable"}"#;
const FINE: &str = "200 | content-length: 4 | fine";

pub fn sold_out() -> HttpException {
    HttpException::gone("sold out")
}

fn fine() -> TestResponse {
    Response::new(Full::from("fine"))
}

/// Runs `code`, which raises, as a layer does.
pub fn raise_in<T>(code: impl FnOnce() -> T) {
    let result = catch_unwind(AssertUnwindSafe(code));
    let payload = result.map(drop).unwrap_err();
    assert!(payload.is::<HttpException>(), "it panicked");
}

/// Serves `handle` for a `GET` of each path, and returns the responses, over one server.
async fn responses<F>(
    handle: impl Fn(String) -> F + Clone + Send + 'static,
    paths: &[&str],
) -> Vec<String>
where
    F: Future<Output = Result<TestResponse, BoxError>> + Send + 'static,
{
    let service = ServiceBuilder::new()
        .catch_exceptions()
        .service_fn(move |request: Request<_>| handle(request.uri().path().to_owned()));
    let server = Server::start(service).await;
    let mut responses = Vec::new();
    for path in paths {
        responses.push(server.get(path).await.to_string());
    }
    responses
}

// E12
#[tokio::test]
async fn a_raise_poisons_the_mutex_that_it_holds_and_the_next_request_fails() {
    let stock = Arc::new(Mutex::new(1));
    let handle = {
        let stock = Arc::clone(&stock);
        move |path: String| {
            let stock = Arc::clone(&stock);
            async move {
                match &*path {
                    "/raise" => {
                        let _guard = stock.lock().unwrap();
                        sold_out().raise()
                    }
                    "/return" => {
                        let _guard = stock.lock().unwrap();
                        Err(sold_out().into())
                    }
                    "/release" => {
                        drop(stock.lock().unwrap());
                        sold_out().raise()
                    }
                    "/ignore" => {
                        let _guard = stock.lock().unwrap_or_else(PoisonError::into_inner);
                        Ok(fine())
                    }
                    "/clear" => {
                        stock.clear_poison();
                        Ok(fine())
                    }
                    _ => {
                        let _guard = stock.lock().map_err(|error| error.to_string())?;
                        Ok(fine())
                    }
                }
            }
        }
    };
    let paths = [
        "/return", "/", "/release", "/", "/raise", "/", "/", "/ignore", "/", "/clear", "/",
    ];
    assert_eq!(
        responses(handle, &paths).await,
        [
            GONE, FINE, GONE, FINE, GONE, PLAIN_500, PLAIN_500, FINE, PLAIN_500, FINE, FINE
        ]
    );
}

// E12
#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "the test is about this case")]
async fn raise_async_poisons_no_mutex() {
    let stock = Mutex::new(1);
    let raising = async {
        let _guard = stock.lock().unwrap();
        sold_out().raise_async().await
    };
    let caught: tower_exception::Result<()> = catch(raising).await;
    assert_eq!(caught.unwrap_err().to_string(), "410: sold out");
    assert!(!stock.is_poisoned());
}

// E12
#[test]
fn a_raise_poisons_a_lock_for_writing_and_not_one_for_reading() {
    let prices = RwLock::new(1);
    raise_in(|| {
        let _guard = prices.read().unwrap();
        sold_out().raise()
    });
    assert!(!prices.is_poisoned());
    raise_in(|| {
        let _guard = prices.write().unwrap();
        sold_out().raise()
    });
    assert!(prices.is_poisoned());
    prices.clear_poison();
    assert!(prices.write().is_ok());
}

// E12
#[tokio::test]
async fn locks_of_tokio_and_parking_lot_are_not_poisoned() {
    let stock = tokio::sync::Mutex::new(1);
    raise_in(|| {
        let _guard = stock.try_lock().unwrap();
        sold_out().raise()
    });
    assert_eq!(*stock.lock().await, 1);

    let stock = parking_lot::Mutex::new(1);
    raise_in(|| {
        let _guard = stock.lock();
        sold_out().raise()
    });
    assert_eq!(*stock.lock(), 1);
}

// E12
#[tokio::test]
async fn a_raise_poisons_a_lazy_lock_for_ever() {
    static PRICES: LazyLock<u32> = LazyLock::new(|| sold_out().raise());
    let handle = |_| async { Ok(Response::new(Full::from(PRICES.to_string()))) };
    let paths = ["/"; 3];
    assert_eq!(
        responses(handle, &paths).await,
        [GONE, PLAIN_500, PLAIN_500]
    );

    static SET_UP: Once = Once::new();
    raise_in(|| SET_UP.call_once(|| sold_out().raise()));
    assert!(catch_unwind(|| SET_UP.call_once(|| {})).is_err());
}

// E12
#[tokio::test]
async fn cells_that_are_initialized_in_the_request_try_again() {
    // The argument is the number of calls so far.
    async fn load(calls: usize) -> Result<u32, HttpException> {
        match calls {
            0 => sold_out().raise(),
            1 => sold_out().raise_async().await,
            2 => Err(sold_out()),
            _ => Ok(42),
        }
    }
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static PRICES: tokio::sync::OnceCell<u32> = tokio::sync::OnceCell::const_new();
    let handle = |_| async {
        let load = || load(CALLS.fetch_add(1, SeqCst));
        let price = PRICES.get_or_try_init(load).await?;
        Ok(Response::new(Full::from(price.to_string())))
    };
    let price = "200 | content-length: 2 | 42";
    let paths = ["/"; 5];
    assert_eq!(
        responses(handle, &paths).await,
        [GONE, GONE, GONE, price, price]
    );
    assert_eq!(CALLS.load(SeqCst), 4);

    let cell = OnceLock::new();
    raise_in(|| *cell.get_or_init(|| sold_out().raise()));
    assert_eq!(*cell.get_or_init(|| 42), 42);
}

/// A service that raises in `call` or in its future, as the path says.
#[derive(Clone)]
struct Raises;

impl<B> Service<Request<B>> for Raises {
    type Response = TestResponse;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<TestResponse, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match request.uri().path() {
            "/call" => sold_out().raise(),
            "/future" => Box::pin(async { sold_out().raise() }),
            "/returned" => Box::pin(async { Err(sold_out().into()) }),
            _ => Box::pin(async { Ok(fine()) }),
        }
    }
}

// E12
#[tokio::test]
async fn a_raise_in_call_ends_the_worker_of_a_buffer_for_all_later_requests() {
    let buffered = ServiceBuilder::new().catch_exceptions().buffer(4);
    let server = Server::start(buffered.service(Raises)).await;
    let get = async |path| server.get(path).await.to_string();
    assert_eq!(get("/returned").await, GONE);
    assert_eq!(get("/future").await, GONE);
    assert_eq!(get("/").await, FINE);
    assert_eq!(get("/call").await, CLOSED);
    assert_eq!(get("/").await, CLOSED);
    assert_eq!(get("/returned").await, CLOSED);
}

// E12
#[tokio::test]
async fn a_layer_inside_of_the_buffer_saves_the_worker() {
    let stack = ServiceBuilder::new()
        .catch_exceptions()
        .buffer(4)
        .catch_exceptions();
    let server = Server::start(stack.service(Raises)).await;
    for path in ["/call", "/future", "/returned", "/call"] {
        assert_eq!(server.get(path).await.to_string(), GONE, "{path}");
        assert_eq!(server.get("/").await.to_string(), FINE);
    }
}

// E12
#[tokio::test]
async fn a_raise_ends_a_worker_of_many_jobs_unless_each_job_has_a_catch() {
    type Reply = oneshot::Sender<tower_exception::Result<&'static str>>;

    async fn price(item: &str) -> &'static str {
        match item {
            "plumbus" => "fine",
            _ => sold_out().raise(),
        }
    }
    async fn handle(
        item: String,
        worker: mpsc::Sender<(String, Reply)>,
    ) -> Result<TestResponse, BoxError> {
        let (reply, price) = oneshot::channel();
        worker.send((item, reply)).await?;
        Ok(Response::new(Full::from(
            price.await?.map_err(Error::into_boxed)?,
        )))
    }

    let (bare, mut jobs) = mpsc::channel::<(String, Reply)>(4);
    tokio::spawn(async move {
        while let Some((item, reply)) = jobs.recv().await {
            let _ = reply.send(Ok(price(&item[1..]).await));
        }
    });
    let paths = ["/plumbus", "/grumbo", "/plumbus"];
    let received = responses(move |item| handle(item, bare.clone()), &paths).await;
    assert_eq!(received, [FINE, PLAIN_500, PLAIN_500]);

    let (catching, mut jobs) = mpsc::channel::<(String, Reply)>(4);
    tokio::spawn(async move {
        while let Some((item, reply)) = jobs.recv().await {
            let _ = reply.send(catch(price(&item[1..])).await);
        }
    });
    let received = responses(move |item| handle(item, catching.clone()), &paths).await;
    assert_eq!(received, [FINE, GONE, FINE]);
}

/// A connection that has one command in flight, and a pool of one of them.
#[derive(Default)]
struct Connection {
    unfinished: bool,
}

/// Puts the connection back when it is dropped, in whatever state it is.
struct Pooled<'a>(MutexGuard<'a, Connection>);

impl Pooled<'_> {
    /// Sends a command, and calls `check` before the result has been read.
    async fn command(&mut self, check: impl AsyncFnOnce()) -> Result<(), HttpException> {
        if self.0.unfinished {
            return Err(HttpException::bad_gateway("unexpected result"));
        }
        self.0.unfinished = true;
        check().await;
        self.0.unfinished = false;
        Ok(())
    }
}

// E12
#[tokio::test]
async fn a_pooled_connection_is_put_back_half_way_by_both_ways_of_raising() {
    let unwinds = async || sold_out().raise();
    let suspends = async || sold_out().raise_async().await;
    let pool = Mutex::new(Connection::default());
    let take = || Pooled(pool.lock().unwrap_or_else(PoisonError::into_inner));

    let caught = catch(async { take().command(unwinds).await }).await;
    assert_eq!(caught.unwrap_err().to_string(), "410: sold out");
    let next = take().command(async || {}).await;
    assert_eq!(next.unwrap_err().to_string(), "502: unexpected result");

    take().0.unfinished = false;
    let caught = catch(async { take().command(suspends).await }).await;
    assert_eq!(caught.unwrap_err().to_string(), "410: sold out");
    let next = take().command(async || {}).await;
    assert_eq!(next.unwrap_err().to_string(), "502: unexpected result");

    // `catch` between the command and its connection leaves time to clean up.
    take().0.unfinished = false;
    let mut connection = take();
    let caught = catch(connection.command(suspends)).await;
    assert_eq!(caught.unwrap_err().to_string(), "410: sold out");
    connection.0.unfinished = false;
    drop(connection);
    assert!(take().command(async || {}).await.is_ok());
}

/// Value whose destructor raises.
pub struct RaisesInDrop;

impl Drop for RaisesInDrop {
    fn drop(&mut self) {
        sold_out().raise()
    }
}

// E20
#[tokio::test]
async fn a_raise_in_a_destructor_is_caught_if_nothing_unwinds() {
    struct RaisesIfItMay;

    impl Drop for RaisesIfItMay {
        fn drop(&mut self) {
            if !thread::panicking() {
                sold_out().raise()
            }
        }
    }

    let handle = |path: String| async move {
        match &*path {
            "/dropped" => {
                drop(RaisesInDrop);
                Ok(fine())
            }
            // The layer drops the future. The first exception wins.
            "/raised-async" => {
                let _raises = RaisesInDrop;
                HttpException::not_found("none").raise_async().await
            }
            "/raised" => {
                let _raises = RaisesIfItMay;
                HttpException::not_found("none").raise()
            }
            _ => Ok(fine()),
        }
    };
    let none = r#"404 | content-length: 17 | content-type: application/json | {"detail":"none"}"#;
    let paths = ["/dropped", "/raised-async", "/raised", "/"];
    assert_eq!(responses(handle, &paths).await, [GONE, none, none, FINE]);
}

/// Retries once: after an error, and after a response with the status 410.
#[derive(Clone)]
struct Once410;

impl<B, E> Policy<Request<()>, Response<B>, E> for Once410 {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        request: &mut Request<()>,
        result: &mut Result<Response<B>, E>,
    ) -> Option<Self::Future> {
        let failed = match result {
            Ok(response) => response.status() == 410,
            Err(_) => true,
        };
        let is_first = request.extensions_mut().insert(()).is_none();
        (failed && is_first).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> {
        Some(request.clone())
    }
}

// E22
#[tokio::test]
async fn retry_sees_an_exception_that_was_returned_and_none_that_was_raised() {
    /// Fails at its first call and responds at the second.
    macro_rules! flaky {
        () => {{
            let calls = Arc::new(AtomicUsize::new(0));
            service_fn(move |request: Request<()>| {
                let calls = calls.fetch_add(1, SeqCst);
                async move {
                    match request.uri().path() {
                        _ if calls > 0 => Ok(super::e_types_docs::fine()),
                        "/returned" => Err(BoxError::from(sold_out())),
                        "/attached" => Ok(sold_out().into()),
                        "/raised" => sold_out().raise(),
                        _ => sold_out().raise_async().await,
                    }
                }
            })
        }};
    }

    let (fine, gone) = ("200 fine", r#"410 {"detail":"sold out"}"#);
    for (path, expected) in [
        ("/returned", fine),
        ("/attached", fine),
        ("/raised", gone),
        ("/raised-async", gone),
    ] {
        let retried = ServiceBuilder::new()
            .catch_exceptions()
            .retry(Once410)
            .service(flaky!());
        assert_eq!(one(retried, path).await, expected, "{path}");

        // Another layer inside of the retry makes a response of each failure.
        let retried = ServiceBuilder::new()
            .catch_exceptions()
            .retry(Once410)
            .catch_exceptions()
            .service(flaky!());
        assert_eq!(one(retried, path).await, fine, "{path}");
    }
}

/// Sends one request in process. Returns the status and the body.
async fn one<S, B>(service: S, path: &str) -> String
where
    S: Service<Request<()>, Response = Response<B>, Error = std::convert::Infallible>,
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let request = Request::get(path).body(()).unwrap();
    let response = within(tower::ServiceExt::oneshot(service, request)).await;
    let received = Received::of(response.unwrap()).await;
    format!("{} {}", received.status.as_u16(), received.text())
}

#[derive(Debug)]
struct ReportFailed(tokio::task::JoinError);

impl std::fmt::Display for ReportFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no report")
    }
}

impl std::error::Error for ReportFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

// E11
#[tokio::test]
async fn a_join_error_is_the_exception_of_its_task_only_if_it_is_the_error_itself() {
    let handle = |path: String| async move {
        let task = tokio::spawn(async { sold_out().raise() });
        let result: Result<(), _> = task.await;
        match (&*path, result) {
            ("/itself", result) => result?,
            ("/in-another", result) => result.map_err(ReportFailed)?,
            ("/in-anyhow", result) => anyhow::Context::context(result, "no report")?,
            ("/resumed", Err(error)) => resume_unwind(error.into_panic()),
            (_, result) => result.expect("the password is hunter2"),
        }
        Ok(fine())
    };
    let paths = [
        "/itself",
        "/resumed",
        "/in-another",
        "/in-anyhow",
        "/unwrapped",
    ];
    assert_eq!(
        responses(handle, &paths).await,
        [GONE, GONE, PLAIN_500, PLAIN_500, PLAIN_500]
    );
}

// E11
#[tokio::test]
async fn a_thread_gives_its_exception_to_the_caller_that_joins_it() {
    let handle = |path: String| async move {
        match &*path {
            "/joined" => {
                let joined = thread::spawn(|| sold_out().raise()).join();
                resume_unwind(joined.unwrap_err())
            }
            // The scope itself panics, and its panic has no exception.
            _ => thread::scope(|scope| {
                scope.spawn(|| sold_out().raise());
            }),
        }
        Ok(fine())
    };
    assert_eq!(
        responses(handle, &["/joined", "/scoped"]).await,
        [GONE, PLAIN_500]
    );
}
