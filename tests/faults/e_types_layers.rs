//! The order of layers, as the guide of the module `layer` describes it: layers of tower-http, and
//! one for sessions, outside and inside of the layer.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    routing::get,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{BoxError, ServiceBuilder, layer::util::Stack, service_fn};
use tower_exception::{ExceptionLayer, HttpException, ServiceBuilderExt as _};
use tower_http::{
    classify::ServerErrorsFailureClass,
    compression::CompressionLayer,
    cors::{Any, CorsLayer},
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    set_header::SetResponseHeaderLayer,
    timeout::TimeoutLayer,
    trace::TraceLayer,
};

use crate::support::{PROTOCOLS, Received, Server, log::Log, log_to_sink, request};

const ITEM: &str = "Item not found, wherever one may look for it";

fn not_found() -> HttpException {
    HttpException::not_found(ITEM)
}

/// Fails as the path says.
async fn failing(request: http::Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
    match request.uri().path() {
        "/fine" => Ok(Response::new(Full::from(
            "a text that is long enough for compression",
        ))),
        "/attached" => Ok(not_found().into()),
        "/returned" => Err(not_found().into()),
        "/raised" => not_found().raise(),
        "/raised-async" => not_found().raise_async().await,
        _ => panic!("the password is hunter2"),
    }
}

/// The ways to fail, and `/fine`.
const PATHS: [&str; 6] = [
    "/fine",
    "/attached",
    "/returned",
    "/raised",
    "/raised-async",
    "/panicked",
];

/// The paths whose result is a response inside of the layer too.
const RESPONSES: [&str; 2] = ["/fine", "/attached"];

async fn get_all(server: &Server) -> Vec<(&'static str, Received)> {
    let mut received = Vec::new();
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for path in PATHS {
            let mut request = request(Method::GET, path);
            let origin = HeaderValue::from_static("https://elsewhere.example");
            request.headers_mut().insert(header::ORIGIN, origin);
            let gzip = HeaderValue::from_static("gzip");
            request.headers_mut().insert(header::ACCEPT_ENCODING, gzip);
            received.push((path, client.exchange(request).await.unwrap()));
        }
    }
    received
}

/// Asserts that the response has a header of `layer`, for exactly these paths.
async fn assert_header(server: Server, position: &str, header: &str, expected: &[&str]) {
    for (path, received) in get_all(&server).await {
        let status = match path {
            "/fine" => 200,
            "/panicked" => 500,
            _ => 404,
        };
        assert_eq!(received.status, status, "{path}");
        let has = received.headers.contains_key(header);
        let case = format!("{header} of {path}, layer {position}: {received}");
        assert_eq!(has, expected.contains(&path), "{case}");
    }
}

/// Checks that a layer sets `header` on every response if it is outside of the layer, on some
/// responses if it is inside, and on every response if it stands between two layers.
macro_rules! check {
    ($header:literal, $layer:expr) => {
        let outside = ServiceBuilder::new().layer($layer).catch_exceptions();
        let server = Server::start(outside.service_fn(failing)).await;
        assert_header(server, "outside", $header, &PATHS).await;

        let inside = ServiceBuilder::new().catch_exceptions().layer($layer);
        let server = Server::start(inside.service_fn(failing)).await;
        assert_header(server, "inside", $header, &RESPONSES).await;

        let between = ServiceBuilder::new()
            .catch_exceptions()
            .layer($layer)
            .catch_exceptions();
        let server = Server::start(between.service_fn(failing)).await;
        assert_header(server, "between", $header, &PATHS).await;
    };
}

fn no_sniff() -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    )
}

// E19
#[tokio::test]
async fn layers_that_change_the_response_see_each_failure_only_from_outside() {
    check!("x-content-type-options", no_sniff());
    check!(
        "access-control-allow-origin",
        CorsLayer::new().allow_origin(Any)
    );
    check!("content-encoding", CompressionLayer::new());
    check!(
        "x-request-id",
        Stack::new(
            PropagateRequestIdLayer::new(HeaderName::from_static("x-request-id")),
            SetRequestIdLayer::new(HeaderName::from_static("x-request-id"), MakeRequestUuid),
        )
    );
}

/// Once over each protocol.
fn twice(lines: &[&str]) -> Vec<String> {
    [lines, lines]
        .concat()
        .into_iter()
        .map(String::from)
        .collect()
}

#[derive(Clone, Default)]
struct Traced(Arc<Mutex<Vec<String>>>);

impl Traced {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }
}

macro_rules! trace {
    ($traced:expr) => {{
        let (responses, failures) = ($traced.clone(), $traced.clone());
        TraceLayer::new_for_http()
            .on_response(move |response: &Response<_>, _: Duration, _: &_| {
                responses.add(response.status().as_str());
            })
            .on_failure(move |class: ServerErrorsFailureClass, _: Duration, _: &_| {
                failures.add(class.to_string());
            })
    }};
}

// E19
#[tokio::test]
async fn trace_logs_no_raised_exception_and_no_panic_from_inside() {
    let _log = log_to_sink();

    let traced = Traced::default();
    let outside = ServiceBuilder::new()
        .layer(trace!(traced))
        .catch_exceptions();
    get_all(&Server::start(outside.service_fn(failing)).await).await;
    let internal = "Status code: 500 Internal Server Error";
    let lines = ["200", "404", "404", "404", "404", "500", internal];
    assert_eq!(*traced.0.lock().unwrap(), twice(&lines));

    let traced = Traced::default();
    let inside = ServiceBuilder::new()
        .catch_exceptions()
        .layer(trace!(traced));
    get_all(&Server::start(inside.service_fn(failing)).await).await;
    let returned = format!("Error: 404: {ITEM}");
    assert_eq!(*traced.0.lock().unwrap(), twice(&["200", "404", &returned]));

    let traced = Traced::default();
    let between = ServiceBuilder::new()
        .catch_exceptions()
        .layer(trace!(traced))
        .catch_exceptions();
    get_all(&Server::start(between.service_fn(failing)).await).await;
    assert_eq!(*traced.0.lock().unwrap(), twice(&lines));
}

/// Lines that were logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// E19
#[tokio::test]
async fn the_event_of_a_failure_is_in_the_span_of_a_trace_outside() {
    use tracing_subscriber::util::SubscriberInitExt as _;

    // With a global subscriber, no other thread can disable an event for this one.
    let _global = Log::start();
    let lines = Lines::default();
    let writer = lines.clone();
    let _log = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .set_default();
    let outside = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .catch_exceptions();
    let server = Server::start(outside.service_fn(failing)).await;
    server.get("/raised").await.assert_detail(404, ITEM);
    let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let event = lines
        .lines()
        .find(|line| line.contains("tower_exception"))
        .unwrap();
    assert!(event.contains("request{method=GET uri=/raised"), "{event}");
}

/// Sets the cookie of the session when the response comes, as layers for sessions do.
async fn session(request: Request, next: Next) -> axum::response::Response {
    let mut response = next.run(request).await;
    let cookie = HeaderValue::from_static("session=1");
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// Handlers of axum return no error: an exception in a `Result` is attached to a response.
fn routes() -> Router {
    Router::new()
        .route("/attached", get(|| async { Err::<(), _>(not_found()) }))
        .route("/raised", get(|| async { not_found().raise() as () }))
        .route("/raised-async", get(|| not_found().raise_async::<()>()))
        .route(
            "/panicked",
            get(|| async { panic!("the password is hunter2") as () }),
        )
}

/// Returns the paths whose responses have the cookie.
async fn with_cookie(app: Router) -> Vec<&'static str> {
    let server = Server::start_axum(app).await;
    let mut paths = Vec::new();
    for path in ["/attached", "/raised", "/raised-async", "/panicked"] {
        let received = server.get(path).await;
        assert_eq!(received.header("content-type"), Some("application/json"));
        if received.header("set-cookie") == Some("session=1") {
            paths.push(path);
        }
    }
    paths
}

// E19
#[tokio::test]
async fn a_session_is_lost_if_its_layer_is_inside() {
    let all = ["/attached", "/raised", "/raised-async", "/panicked"];
    let exceptions = ExceptionLayer::new;

    // The last layer of a `Router` is the outermost one.
    let outside = routes().layer(exceptions()).layer(from_fn(session));
    assert_eq!(with_cookie(outside).await, all);
    let inside = routes().layer(from_fn(session)).layer(exceptions());
    assert_eq!(with_cookie(inside).await, ["/attached"]);

    // The first layer of a `ServiceBuilder` is the outermost one.
    let stack = ServiceBuilder::new()
        .layer(from_fn(session))
        .layer(exceptions());
    assert_eq!(with_cookie(routes().layer(stack)).await, all);
    let stack = ServiceBuilder::new()
        .layer(exceptions())
        .layer(from_fn(session));
    assert_eq!(with_cookie(routes().layer(stack)).await, ["/attached"]);

    let stack = ServiceBuilder::new()
        .layer(exceptions())
        .layer(from_fn(session))
        .layer(exceptions());
    assert_eq!(with_cookie(routes().layer(stack)).await, all);
}

// E19
#[tokio::test]
async fn the_first_layer_of_a_tonic_server_is_the_outermost_one() {
    use tonic::{
        service::Routes,
        transport::server::{Server, TcpIncoming},
    };

    /// Serves the routes, and returns the response to a request whose handler raises.
    macro_rules! raised {
        ($first:expr, $second:expr) => {{
            let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
            let address = incoming.local_addr().unwrap();
            let server = Server::builder()
                .accept_http1(true)
                .layer($first)
                .layer($second)
                .add_routes(Routes::from(routes()))
                .serve_with_incoming(incoming);
            let server = tokio::spawn(server);
            let mut client = crate::support::Client::connect(PROTOCOLS[1], address).await;
            let response = client
                .exchange(request(Method::GET, "/raised"))
                .await
                .unwrap();
            server.abort();
            assert_eq!(response.status, 404);
            response.header("x-content-type-options").is_some()
        }};
    }

    assert!(raised!(no_sniff(), ExceptionLayer::new()));
    assert!(!raised!(ExceptionLayer::new(), no_sniff()));
}

/// Refuses each request.
async fn authenticate(
    request: Request,
    _: Next,
) -> Result<axum::response::Response, HttpException> {
    let who = HttpException::unauthorized("who are you?");
    match request.uri().path() {
        "/attached" => Err(who),
        "/raised" => who.raise(),
        _ => who.raise_async().await,
    }
}

// E19
#[tokio::test]
async fn authentication_may_raise_inside_and_only_return_outside() {
    let inside = routes()
        .layer(from_fn(authenticate))
        .layer(ExceptionLayer::new());
    let server = Server::start_axum(inside).await;
    for path in ["/attached", "/raised", "/raised-async"] {
        server.get(path).await.assert_detail(401, "who are you?");
    }

    let outside = routes()
        .layer(ExceptionLayer::new())
        .layer(from_fn(authenticate));
    let server = Server::start_axum(outside).await;
    server
        .get("/attached")
        .await
        .assert_detail(401, "who are you?");
    let mut client = server.connect(PROTOCOLS[0]).await;
    assert!(
        client
            .exchange(request(Method::GET, "/raised"))
            .await
            .is_err()
    );
}

const SHORT: Duration = Duration::from_millis(20);

// E19
#[tokio::test]
async fn timeouts_and_limits_inside_get_a_body_in_json() {
    const TIMEOUT: &str = r#"504 | content-length: 28 | content-type: application/json | {"detail":"Gateway Timeout"}"#;
    let slow = || {
        service_fn(async |_: http::Request<Incoming>| {
            std::future::pending::<Result<Response<Full<Bytes>>, BoxError>>().await
        })
    };

    let of_tower = ServiceBuilder::new().catch_exceptions().timeout(SHORT);
    let server = Server::start(of_tower.service(slow())).await;
    assert_eq!(server.get("/").await.to_string(), TIMEOUT);

    // tower-http's layer makes a response by itself, which has no body.
    let timeout = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, SHORT);
    let of_tower_http = ServiceBuilder::new().catch_exceptions().layer(timeout);
    let server = Server::start(of_tower_http.service(slow())).await;
    assert_eq!(server.get("/").await.to_string(), "504 | content-length: 0");

    let adopted = ServiceBuilder::new()
        .layer(ExceptionLayer::new().adopt_error_responses())
        .layer(timeout);
    let server = Server::start(adopted.service(slow())).await;
    assert_eq!(server.get("/").await.to_string(), TIMEOUT);
}

// E19
#[tokio::test]
async fn a_layer_of_a_router_covers_only_the_routes_before_it() {
    let app = Router::new()
        .route("/before", get(|| async { not_found().raise() as () }))
        .layer(ExceptionLayer::new().adopt_error_responses())
        .route("/after", get(|| async { not_found().raise() as () }));
    let server = Server::start_axum(app).await;
    server.get("/before").await.assert_detail(404, ITEM);
    let mut client = server.connect(PROTOCOLS[0]).await;
    assert!(
        client
            .exchange(request(Method::GET, "/after"))
            .await
            .is_err()
    );

    // `route_layer` leaves the router's own 404 alone.
    let app = routes().route_layer(ExceptionLayer::new().adopt_error_responses());
    let server = Server::start_axum(app).await;
    server.get("/raised").await.assert_detail(404, ITEM);
    assert_eq!(
        server.get("/nowhere").await.to_string(),
        "404 | content-length: 0"
    );

    let app = routes().layer(ExceptionLayer::new().adopt_error_responses());
    let server = Server::start_axum(app).await;
    server.get("/nowhere").await.assert_detail(404, "Not Found");
}
