//! The fields of an event, for each kind of failure and outcome.

use std::{any::type_name, fmt, io, sync::Arc};

use axum::extract::MatchedPath;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{BoxError, Layer, service_fn};
use tower_exception::{
    Caught, CloseCode, ExceptionLayer, HttpException, Raise, Reply, WebSocketException,
    config::LayerConfig,
};

use crate::{
    shop,
    support::{
        Server, first_then,
        log::{Log, LoggedEvent},
        request,
        websocket::{connect, websocket_layer},
    },
};

#[derive(Debug)]
struct SoldOut;

impl fmt::Display for SoldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sold out")
    }
}

impl std::error::Error for SoldOut {}

/// Error that only stands for another one.
#[derive(Debug, thiserror::Error)]
#[error("the order: {0}")]
struct Order(#[source] BoxError);

async fn fail(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
    match request.uri().path() {
        "/exception" => Err(HttpException::conflict("taken").into()),
        "/code" => Err(HttpException::conflict("taken")
            .with_code("seat-taken")
            .into()),
        "/formatted-code" => {
            let code = format!("seat\n{}", "taken");
            Err(HttpException::conflict("taken").with_code(code).into())
        }
        "/websocket" => Err(WebSocketException::new(CloseCode::POLICY_VIOLATION).into()),
        "/boxed" => Err(SoldOut.into()),
        "/raised" => SoldOut.raise(),
        "/shared" => Arc::new(SoldOut).raise(),
        "/source" => Err(Order(SoldOut.into()).into()),
        "/anyhow" => anyhow::Error::new(SoldOut).context("the order").raise(),
        "/known" => Err(tower::timeout::error::Elapsed::new().into()),
        "/of-exception" => Err(Order(HttpException::gone("gone").into()).into()),
        "/panicked" => panic!("at the disco"),
        _ => Ok(Response::new(Full::from("fine"))),
    }
}

/// Returns the event of a request to [`fail`].
async fn event_of(layer: ExceptionLayer<impl LayerConfig>, path: &str) -> LoggedEvent {
    let server = Server::start(layer.layer(service_fn(fail))).await;
    let log = Log::start();
    server.get(path).await;
    log.only_event()
}

#[tokio::test]
async fn a_failure_is_of_the_type_that_the_user_has_named() {
    let sold_out = Some(type_name::<SoldOut>());
    let http = Some("tower_exception::HttpException");
    for (path, exception_type, unnamed, named) in [
        ("/exception", http, "409", "409"),
        ("/code", http, "seat-taken", "seat-taken"),
        ("/formatted-code", http, r"seat\ntaken", r"seat\ntaken"),
        (
            "/websocket",
            Some("tower_exception::WebSocketException"),
            "1008",
            "1008",
        ),
        ("/boxed", None, "_OTHER", type_name::<SoldOut>()),
        (
            "/raised",
            sold_out,
            type_name::<SoldOut>(),
            type_name::<SoldOut>(),
        ),
        (
            "/shared",
            Some(type_name::<Arc<SoldOut>>()),
            type_name::<SoldOut>(),
            type_name::<SoldOut>(),
        ),
        ("/source", None, "_OTHER", type_name::<SoldOut>()),
        (
            "/anyhow",
            Some("anyhow::Error"),
            "anyhow::Error",
            type_name::<SoldOut>(),
        ),
        ("/known", None, "504", "504"),
        ("/of-exception", None, "410", "410"),
        (
            "/panicked",
            Some("tower_exception::Panic"),
            "panic",
            "panic",
        ),
    ] {
        let event = event_of(ExceptionLayer::new(), path).await;
        assert_eq!(event.get("exception.type"), exception_type, "{path}");
        assert_eq!(event.get("error.type"), Some(unnamed), "{path}");
        let naming = ExceptionLayer::new().on(|_: Caught<SoldOut>| Reply::decline());
        let event = event_of(naming, path).await;
        assert_eq!(event.get("error.type"), Some(named), "{path}");
    }
}

#[tokio::test]
async fn a_layer_names_the_type_of_a_boxed_error_that_it_opens() {
    let layer = ExceptionLayer::new().reveal(|_: &Order| None);
    let event = event_of(layer, "/source").await;
    assert_eq!(event.get("exception.type"), Some(type_name::<Order>()));
    assert_eq!(event.get("error.type"), Some(type_name::<Order>()));
}

#[tokio::test]
async fn the_error_type_of_a_service_is_the_type_of_its_errors() {
    let service = service_fn(async |_: Request<Incoming>| Err::<Response<Full<Bytes>>, _>(SoldOut));
    let server = Server::start(ExceptionLayer::new().layer(service)).await;
    let log = Log::start();
    server.get("/").await;
    let event = log.only_event();
    assert_eq!(event.get("exception.type"), Some(type_name::<SoldOut>()));
}

#[tokio::test]
async fn a_failure_that_ends_well_is_no_error() {
    let layer =
        ExceptionLayer::new().on_any(|_: Caught| Reply::from(Response::new(Full::from("fine"))));
    let event = event_of(layer, "/boxed").await;
    assert_eq!(event.get("http.response.status_code"), Some("200"));
    assert_eq!(event.get("error.type"), None);
}

#[tokio::test]
async fn a_method_of_no_standard_is_not_a_value_of_its_own() {
    let layer = || ExceptionLayer::new().on_any(|_: Caught| Reply::decline());
    let server = Server::start(layer().layer(service_fn(fail))).await;
    for (method, name, original) in [
        ("GET", "GET", None),
        ("QUERY", "QUERY", None),
        ("BREW", "_OTHER", Some("BREW")),
    ] {
        let log = Log::start();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        server.send(request(method, "/boxed")).await;
        let event = log.only_event();
        assert_eq!(event.get("http.request.method"), Some(name));
        assert_eq!(event.get("http.request.method_original"), original);
    }
}

#[tokio::test]
async fn the_route_is_there_if_it_is_captured() {
    let layers = [
        (
            ExceptionLayer::new().capture::<MatchedPath>(),
            Some("/orders/{id}"),
        ),
        (ExceptionLayer::new().capture_headers(), None),
    ];
    for (layer, route) in layers {
        let server = Server::start_axum(shop::routes().layer(layer)).await;
        let log = Log::start();
        server
            .send(request(Method::POST, "/orders/7?token=hunter2"))
            .await;
        let event = log.only_event();
        assert_eq!(event.get("http.route"), route);
        assert_eq!(event.get("url.path"), Some("/orders/7"));
    }
}

#[tokio::test]
async fn a_grpc_status_is_that_of_the_protocol() {
    let server = Server::start(ExceptionLayer::new().layer(service_fn(fail))).await;
    let mut request = request(Method::POST, "/exception");
    let content_type = HeaderValue::from_static("application/grpc");
    request.headers_mut().insert(CONTENT_TYPE, content_type);
    let log = Log::start();
    server.send(request).await;
    let event = log.only_event();
    assert_eq!(event.get("rpc.system.name"), Some("grpc"));
    assert_eq!(event.get("rpc.response.status_code"), Some("ABORTED"));
    assert_eq!(event.get("http.response.status_code"), None);
}

#[tokio::test]
async fn a_close_code_is_a_field_of_this_crate() {
    let layer = websocket_layer();
    let server = Server::start(layer.layer(service_fn(fail))).await;
    let log = Log::start();
    let mut client = connect(server.address(), "/websocket").await;
    crate::support::websocket::closed(&mut client).await;
    let event = log.only_event();
    assert_eq!(event.get("tower_exception.close_code"), Some("1008"));
    assert_eq!(event.get("http.response.status_code"), None);
    assert_eq!(event.get("error.type"), Some("1008"));
}

#[tokio::test]
async fn a_body_that_is_cut_short_has_no_status() {
    let service = service_fn(async |_: Request<Incoming>| {
        let body = first_then(|| Err(io::Error::other("disk gone").into()));
        Ok::<_, BoxError>(Response::new(body))
    });
    let server = Server::start(ExceptionLayer::new().layer(service)).await;
    let log = Log::start();
    server.get("/").await;
    let event = log.only_event();
    assert_eq!(event.get("message"), Some("cut a response body short"));
    assert_eq!(event.get("http.response.status_code"), None);
    assert_eq!(event.get("tower_exception.phase"), Some("body"));
}

#[tokio::test]
async fn a_backtrace_is_there_if_it_was_captured() {
    let event = event_of(ExceptionLayer::new(), "/exception").await;
    assert_eq!(event.get("exception.stacktrace"), None);
    tower_exception::panics::record().backtraces(true);
    let event = event_of(ExceptionLayer::new(), "/panicked").await;
    let stacktrace = event.get("exception.stacktrace").unwrap();
    assert!(
        stacktrace.contains("telemetry::events::fail"),
        "{stacktrace}"
    );
    let place = event.get("tower_exception.location").unwrap();
    assert!(place.starts_with(file!()), "{place}");
    let status = StatusCode::INTERNAL_SERVER_ERROR.as_str();
    assert_eq!(event.get("http.response.status_code"), Some(status));
}
