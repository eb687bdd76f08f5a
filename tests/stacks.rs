//! The layer in stacks with the layers of tower and tower-http, outside and inside of it.

mod support;

use std::{
    convert::Infallible,
    panic::resume_unwind,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tokio::sync::Notify;
use tower::{BoxError, Service, ServiceBuilder, service_fn, util::MapResponseLayer};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, ServiceBuilderExt as _, render::Rendered,
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    classify::ServerErrorsFailureClass,
    compression::CompressionLayer,
    cors::{Any, CorsLayer},
    decompression::DecompressionLayer,
    set_header::SetResponseHeaderLayer,
    timeout::TimeoutLayer,
    trace::TraceLayer,
};

use support::{
    Client, Differences, PLAIN_500, PLAIN_504, PROTOCOLS, Protocol, SecretError, Server, request,
    within,
};

type TestResponse = Response<Full<Bytes>>;

fn not_found() -> HttpException {
    HttpException::not_found("Item not found, wherever one may look for it").with_header(
        HeaderName::from_static("x-own"),
        HeaderValue::from_static("own"),
    )
}

/// Responds or fails as the path says.
async fn faulty(request: Request<Incoming>) -> Result<TestResponse, BoxError> {
    match request.uri().path() {
        "/fine" => Ok(Response::new(Full::from("fine"))),
        "/returned" => Err(not_found().into()),
        "/attached" => Ok(not_found().into()),
        "/raised" => not_found().raise(),
        "/error" => Err(SecretError.into()),
        "/panic" => panic!("the password is hunter2"),
        "/slow" => std::future::pending().await,
        path => unreachable!("{path}"),
    }
}

const FINE: &str = "200 | content-length: 4 | fine";
const NOT_FOUND: &str = r#"404 | content-length: 57 | content-type: application/json | x-own: own | {"detail":"Item not found, wherever one may look for it"}"#;

const ROWS: [(&str, &str); 6] = [
    ("/fine", FINE),
    ("/returned", NOT_FOUND),
    ("/attached", NOT_FOUND),
    ("/raised", NOT_FOUND),
    ("/error", PLAIN_500),
    ("/panic", PLAIN_500),
];

const SECOND: Duration = Duration::from_secs(1);

/// Returns the expected response with another header in front.
fn with_line_first(expected: &str, line: &str) -> String {
    expected.replacen(" | ", &format!(" | {line} | "), 1)
}

/// A duration that a test can wait for.
const SHORT: Duration = Duration::from_millis(20);

/// Checks each row twice over each protocol, over one connection: a failure must free its permits.
async fn check(server: Server, rows: &[(&str, impl AsRef<str>)]) {
    let mut differences = Differences::default();
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for (path, expected) in rows.iter().chain(rows) {
            let case = format!("{path} over {protocol:?}");
            differences.note(&case, &client.get(path).await, expected.as_ref());
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn catch_exceptions_adds_the_layer() {
    let service = ServiceBuilder::new().catch_exceptions().service_fn(faulty);
    check(Server::start(service).await, &ROWS).await;
}

#[tokio::test]
async fn a_timeout_works_inside() {
    let stack = ServiceBuilder::new()
        .catch_exceptions()
        .timeout(30 * SECOND);
    check(Server::start(stack.service_fn(faulty)).await, &ROWS).await;

    let stack = ServiceBuilder::new().catch_exceptions().timeout(SHORT);
    check(
        Server::start(stack.service_fn(faulty)).await,
        &[("/slow", PLAIN_504)],
    )
    .await;
}

#[tokio::test]
async fn a_timeout_works_outside() {
    let stack = ServiceBuilder::new()
        .timeout(30 * SECOND)
        .catch_exceptions();
    check(Server::start(stack.service_fn(faulty)).await, &ROWS).await;

    let stack = ServiceBuilder::new()
        .catch_exceptions()
        .timeout(SHORT)
        .catch_exceptions();
    check(
        Server::start(stack.service_fn(faulty)).await,
        &[("/slow", PLAIN_504)],
    )
    .await;
}

#[tokio::test]
async fn a_concurrency_limit_works_inside_and_outside() {
    let inside = ServiceBuilder::new()
        .catch_exceptions()
        .concurrency_limit(1);
    check(Server::start(inside.service_fn(faulty)).await, &ROWS).await;

    let outside = ServiceBuilder::new()
        .concurrency_limit(1)
        .catch_exceptions();
    check(Server::start(outside.service_fn(faulty)).await, &ROWS).await;
}

#[tokio::test]
async fn load_shed_works_inside_and_outside() {
    let entered = Arc::new(Notify::new());
    let gate = Arc::new(Notify::new());
    let gated = || {
        let (entered, gate) = (Arc::clone(&entered), Arc::clone(&gate));
        service_fn(move |_: Request<Incoming>| {
            let (entered, gate) = (Arc::clone(&entered), Arc::clone(&gate));
            async move {
                entered.notify_one();
                gate.notified().await;
                Ok::<_, BoxError>(TestResponse::new(Full::from("fine")))
            }
        })
    };
    let inside = ServiceBuilder::new()
        .catch_exceptions()
        .load_shed()
        .concurrency_limit(1)
        .service(gated());
    let outside = ServiceBuilder::new()
        .catch_exceptions()
        .load_shed()
        .catch_exceptions()
        .concurrency_limit(1)
        .service(gated());
    for server in [Server::start(inside).await, Server::start(outside).await] {
        let mut first = server.connect(Protocol::Http1).await;
        let mut second = server.connect(Protocol::Http1).await;
        let first = tokio::spawn(async move { first.get("/").await });
        within(entered.notified()).await;
        let shed = r#"503 | content-length: 32 | content-type: application/json | retry-after: 1 | {"detail":"Service Unavailable"}"#;
        assert_eq!(second.get("/").await, shed);
        assert_eq!(second.get("/").await, shed);
        gate.notify_one();
        assert_eq!(within(first).await.unwrap(), FINE);
        gate.notify_one();
        assert_eq!(second.get("/").await, FINE);
        within(entered.notified()).await;
    }
}

/// A rate limit cannot be cloned, so it needs a buffer.
#[tokio::test]
async fn a_buffer_and_a_rate_limit_work_inside_and_outside() {
    let inside = ServiceBuilder::new()
        .catch_exceptions()
        .buffer(4)
        .rate_limit(1000, SHORT);
    check(Server::start(inside.service_fn(faulty)).await, &ROWS).await;

    let outside = ServiceBuilder::new()
        .buffer(4)
        .rate_limit(1000, SHORT)
        .catch_exceptions();
    check(Server::start(outside.service_fn(faulty)).await, &ROWS).await;
}

/// Requests wait for the rate limit, and receive their responses.
#[tokio::test]
async fn a_reached_rate_limit_delays_requests() {
    let stack = ServiceBuilder::new()
        .buffer(4)
        .catch_exceptions()
        .rate_limit(1, SHORT);
    let server = Server::start(stack.service_fn(faulty)).await;
    let start = tokio::time::Instant::now();
    check(server, &ROWS).await;
    assert!(start.elapsed() >= 20 * SHORT, "it was not reached");
}

/// A service that fails in the worker of a buffer.
#[derive(Clone)]
enum FailsEarly {
    InPollReady,
    InCall,
}

impl Service<Request<Incoming>> for FailsEarly {
    type Response = TestResponse;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<TestResponse, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::InPollReady => Poll::Ready(Err(HttpException::gone("sold out").into())),
            Self::InCall => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        HttpException::gone("sold out").raise()
    }
}

#[tokio::test]
async fn failures_in_the_worker_of_a_buffer_are_handled() {
    const GONE: &str =
        r#"410 | content-length: 21 | content-type: application/json | {"detail":"sold out"}"#;
    // The buffer returns the error of `poll_ready` as a source of its own error to every request.
    let inside = ServiceBuilder::new().catch_exceptions().buffer(4);
    let server = Server::start(inside.service(FailsEarly::InPollReady)).await;
    check(server, &[("/", GONE)]).await;

    // The worker has ended with the exception that was raised in it.
    let inside = ServiceBuilder::new().catch_exceptions().buffer(4);
    let server = Server::start(inside.service(FailsEarly::InCall)).await;
    let closed = r#"503 | content-length: 32 | content-type: application/json | {"detail":"Service Unavailable"}"#;
    check(server, &[("/", closed)]).await;

    for fails in [FailsEarly::InPollReady, FailsEarly::InCall] {
        let outside = ServiceBuilder::new().buffer(4).catch_exceptions();
        check(Server::start(outside.service(fails)).await, &[("/", GONE)]).await;
    }
}

/// Decompression is the outermost layer, so the client can check that the compressed body is whole.
#[tokio::test]
async fn compression_outside_compresses_rendered_exceptions() {
    let encoded_with = MapResponseLayer::new(|mut response: Response<_>| {
        let encoding = response.headers().get(header::CONTENT_ENCODING).cloned();
        let none = HeaderValue::from_static("none");
        let name = HeaderName::from_static("x-encoding");
        response
            .headers_mut()
            .insert(name, encoding.unwrap_or(none));
        response
    });
    let stack = ServiceBuilder::new()
        .layer(DecompressionLayer::new())
        .layer(encoded_with)
        .layer(CompressionLayer::new())
        .catch_exceptions();
    let server = Server::start(stack.service_fn(faulty)).await;
    for (protocol, framing) in PROTOCOLS
        .into_iter()
        .zip([" | transfer-encoding: chunked", ""])
    {
        let mut client = server.connect(protocol).await;
        for path in ["/returned", "/attached", "/raised"] {
            let expected = format!(
                "404 | content-type: application/json{framing} | vary: accept-encoding | \
                 x-encoding: gzip | x-own: own | \
                 {{\"detail\":\"Item not found, wherever one may look for it\"}}"
            );
            assert_eq!(client.get(path).await, expected, "{path} over {protocol:?}");
        }
        for path in ["/error", "/panic"] {
            let expected = format!(
                "500 | content-type: application/json{framing} | vary: accept-encoding | \
                 x-encoding: gzip | {{\"detail\":\"Internal Server Error\"}}"
            );
            assert_eq!(client.get(path).await, expected, "{path} over {protocol:?}");
        }
    }
}

fn gzip_please(path: &str) -> Request<Full<Bytes>> {
    let mut request = request(Method::GET, path);
    let gzip = HeaderValue::from_static("gzip");
    request.headers_mut().insert(header::ACCEPT_ENCODING, gzip);
    request
}

/// A compressed response is the compression layer's, and final. An exception without a response is
/// rendered outside of it.
#[tokio::test]
async fn compression_inside_makes_attached_exceptions_final() {
    fn text(exception: &HttpException, _: &Caught) -> Rendered {
        Rendered::new(
            HeaderValue::from_static("text/plain"),
            exception.to_string(),
        )
    }
    let stack = ServiceBuilder::new()
        .layer(ExceptionLayer::new().with_renderer(text))
        .layer(CompressionLayer::new());
    let server = Server::start(stack.service_fn(faulty)).await;
    let text = "Item not found, wherever one may look for it";
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        let mut get = async |path| {
            client
                .exchange(gzip_please(path))
                .await
                .unwrap()
                .to_string()
        };
        let head = "404 | content-length: 49 | content-type: text/plain";
        let attached = get("/attached").await;
        assert!(
            attached.starts_with("404 | content-encoding: gzip"),
            "{attached}"
        );
        assert!(
            attached.contains("vary: accept-encoding | x-own: own"),
            "{attached}"
        );
        let rendered = format!("{head} | x-own: own | 404: {text}");
        assert_eq!(get("/returned").await, rendered);
        assert_eq!(get("/raised").await, rendered);
    }
}

#[tokio::test]
async fn a_body_that_fails_under_compression_is_aborted() {
    type End = fn() -> Result<&'static str, BoxError>;
    let ends: [End; 3] = [
        || Err(SecretError.into()),
        || panic!("the password is hunter2"),
        || HttpException::gone("sold out").raise(),
    ];
    for end in ends {
        let service = move |_: Request<Incoming>| async move {
            let frames = futures_util::stream::iter([0, 1]).map(move |half| match half {
                0 => Ok("half a message that is long enough for compression to begin"),
                _ => end(),
            });
            let mut response = Response::new(support::body(frames));
            let text = HeaderValue::from_static("text/plain");
            response.headers_mut().insert(header::CONTENT_TYPE, text);
            Ok::<Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError>(response)
        };
        let inside = ServiceBuilder::new()
            .catch_exceptions()
            .layer(CompressionLayer::new());
        let outside = ServiceBuilder::new()
            .layer(CompressionLayer::new())
            .catch_exceptions();
        let servers = [
            Server::start(inside.service_fn(service)).await,
            Server::start(outside.service_fn(service)).await,
        ];
        for server in servers {
            for protocol in PROTOCOLS {
                let mut client = server.connect(protocol).await;
                let received = client.exchange(gzip_please("/")).await;
                assert!(received.is_err(), "{received:?}");
            }
        }
    }
}

/// The failures that `TraceLayer` reports.
type Failures = Arc<Mutex<Vec<String>>>;

macro_rules! trace {
    ($failures:expr) => {{
        let failures: Failures = Arc::clone(&$failures);
        TraceLayer::new_for_http().on_failure(
            move |class: ServerErrorsFailureClass, _: Duration, _: &_| {
                failures.lock().unwrap().push(class.to_string());
            },
        )
    }};
}

/// Outside of the layer, `TraceLayer` sees responses: a server error is a failure, a client error
/// is none, and the text of an error is not visible.
#[tokio::test]
async fn trace_outside_sees_responses() {
    let _log = support::log_to_sink();
    let failures = Failures::default();
    let stack = ServiceBuilder::new()
        .layer(trace!(failures))
        .catch_exceptions();
    check(Server::start(stack.service_fn(faulty)).await, &ROWS).await;
    let expected = vec!["Status code: 500 Internal Server Error"; 2 * 2 * PROTOCOLS.len()];
    assert_eq!(*failures.lock().unwrap(), expected);
}

/// Inside of the layer, `TraceLayer` sees the errors themselves.
#[tokio::test]
async fn trace_inside_sees_errors() {
    let _log = support::log_to_sink();
    let failures = Failures::default();
    let stack = ServiceBuilder::new()
        .catch_exceptions()
        .layer(trace!(failures));
    check(Server::start(stack.service_fn(faulty)).await, &ROWS).await;
    let one_round = [
        "Error: 404: Item not found, wherever one may look for it",
        "Error: the password is hunter2",
    ];
    let expected: Vec<_> = one_round
        .into_iter()
        .cycle()
        .take(2 * 2 * PROTOCOLS.len())
        .collect();
    assert_eq!(*failures.lock().unwrap(), expected);
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .expose_headers([HeaderName::from_static("x-own")])
}

const CORS_LINES: &str = "access-control-allow-origin: * | access-control-expose-headers: x-own";
const CORS_VARY: &str =
    "vary: origin, access-control-request-method, access-control-request-headers";

/// A browser hides a response without these headers from the page.
#[tokio::test]
async fn cors_outside_adds_its_headers_to_every_response() {
    let stack = ServiceBuilder::new().layer(cors()).catch_exceptions();
    let server = Server::start(stack.service_fn(faulty)).await;
    let mut differences = Differences::default();
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for (path, expected) in ROWS {
            let got = cross_origin(&mut client, path).await;
            let expected = with_line_first(expected, CORS_LINES);
            differences.note(&format!("{path} over {protocol:?}"), &got, &expected);
        }
    }
    differences.assert_none();
}

/// Sends a `GET` as from a page of another origin. Returns the response without its `vary`.
async fn cross_origin(client: &mut Client, path: &str) -> String {
    let mut request = request(Method::GET, path);
    let origin = HeaderValue::from_static("https://elsewhere.example");
    request.headers_mut().insert(header::ORIGIN, origin);
    let received = client.exchange(request).await.unwrap().to_string();
    received.replace(&format!(" | {CORS_VARY}"), "")
}

/// Only a response passes through CORS. An attached exception has the headers, even if it is
/// rendered anew.
#[tokio::test]
async fn cors_inside_misses_errors_and_raised_exceptions() {
    let plain = ServiceBuilder::new().catch_exceptions().layer(cors());
    let configured = ServiceBuilder::new()
        .layer(ExceptionLayer::new().with_renderer(tower_exception::render::Json))
        .layer(cors());
    let servers = [
        Server::start(plain.service_fn(faulty)).await,
        Server::start(configured.service_fn(faulty)).await,
    ];
    for server in servers {
        let mut client = server.connect(Protocol::Http1).await;
        for (path, expected) in ROWS {
            let expected = match path {
                "/fine" | "/attached" => with_line_first(expected, CORS_LINES),
                _ => expected.to_owned(),
            };
            assert_eq!(cross_origin(&mut client, path).await, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn a_tower_http_timeout_works_inside_and_outside() {
    let timeout = |after| TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, after);
    let patient = ServiceBuilder::new()
        .catch_exceptions()
        .layer(timeout(30 * SECOND));
    check(Server::start(patient.service_fn(faulty)).await, &ROWS).await;
    let patient = ServiceBuilder::new()
        .layer(timeout(30 * SECOND))
        .catch_exceptions();
    check(Server::start(patient.service_fn(faulty)).await, &ROWS).await;

    let inside = ServiceBuilder::new()
        .catch_exceptions()
        .layer(timeout(SHORT));
    let outside = ServiceBuilder::new()
        .layer(timeout(SHORT))
        .catch_exceptions();
    let servers = [
        Server::start(inside.service_fn(faulty)).await,
        Server::start(outside.service_fn(faulty)).await,
    ];
    for server in servers {
        let mut client = server.connect(Protocol::Http1).await;
        assert_eq!(client.get("/slow").await, "504 | content-length: 0");
    }
}

#[tokio::test]
async fn set_header_outside_sets_its_header() {
    let set = |name, value| {
        SetResponseHeaderLayer::overriding(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    let stack = ServiceBuilder::new()
        .layer(set("a-first", "1"))
        .catch_exceptions();
    let server = Server::start(stack.service_fn(faulty)).await;
    let rows = ROWS.map(|(path, expected)| (path, with_line_first(expected, "a-first: 1")));
    check(server, &rows).await;
}

/// No panic reaches it.
#[tokio::test]
async fn catch_panic_outside_sees_no_panic() {
    let stack = ServiceBuilder::new()
        .layer(CatchPanicLayer::new())
        .catch_exceptions();
    check(Server::start(stack.service_fn(faulty)).await, &ROWS).await;
}

/// `CatchPanicLayer` takes a raised exception for a panic, so it belongs outside. A handler that
/// resumes the unwinding changes nothing.
#[tokio::test]
async fn catch_panic_inside_takes_a_raise_for_a_panic() {
    let panicked =
        "500 | content-length: 16 | content-type: text/plain; charset=utf-8 | Service panicked";
    let stack = ServiceBuilder::new()
        .catch_exceptions()
        .layer(CatchPanicLayer::new());
    let rows = ROWS.map(|(path, expected)| match path {
        "/raised" | "/panic" => (path, panicked),
        _ => (path, expected),
    });
    check(Server::start(stack.service_fn(faulty)).await, &rows).await;

    let passes = CatchPanicLayer::custom(|payload| -> TestResponse { resume_unwind(payload) });
    let stack = ServiceBuilder::new().catch_exceptions().layer(passes);
    check(Server::start(stack.service_fn(faulty)).await, &ROWS).await;
}

/// A stack as in production.
#[tokio::test]
async fn all_layers_work_at_once() {
    let _log = support::log_to_sink();
    let stack = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::new())
        .catch_exceptions()
        .load_shed()
        .buffer(8)
        .concurrency_limit(4)
        .timeout(30 * SECOND);
    let server = Server::start(stack.service_fn(faulty)).await;
    let json = "application/json";
    let varies = format!("{json} | vary: accept-encoding");
    let rows = ROWS.map(|(path, expected)| (path, expected.replace(json, &varies)));
    check(server, &rows).await;
}

/// In axum each layer gets the body type of the layer inside of it.
#[cfg(feature = "axum")]
#[tokio::test]
async fn all_layers_work_at_once_in_axum() {
    let stack = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(cors())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            30 * SECOND,
        ))
        .layer(CatchPanicLayer::new())
        .catch_exceptions()
        .load_shed()
        .concurrency_limit(4)
        .timeout(30 * SECOND);
    let routes = axum::Router::new()
        .route(
            "/returned",
            axum::routing::get(|| async { Err::<(), _>(not_found()) }),
        )
        .route(
            "/raised",
            axum::routing::get(|| async { not_found().raise() as () }),
        );
    let server = Server::start_axum(routes.layer(stack)).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for path in ["/returned", "/raised"] {
            let expected = with_line_first(NOT_FOUND, CORS_LINES);
            assert_eq!(
                cross_origin(&mut client, path).await,
                expected,
                "{path} over {protocol:?}"
            );
        }
    }
}

/// The error type is `Infallible`, and the layers outside do not change it.
#[test]
fn the_stack_stays_infallible() {
    fn infallible<S: Service<Request<Full<Bytes>>, Error = Infallible>>(_: S) {}
    let inner =
        service_fn(async |_: Request<Full<Bytes>>| Err::<TestResponse, _>(BoxError::from("")));
    let stack = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(CatchPanicLayer::new())
        .layer(cors())
        .layer(CompressionLayer::new())
        .catch_exceptions()
        .timeout(SECOND);
    infallible(stack.service(inner));
}
