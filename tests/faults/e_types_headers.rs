//! Headers and bodies of users' exceptions: `connection: close`, redirections, too many headers,
//! texts of server errors.

use axum::{Extension, Router, routing::get};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{self, CONNECTION, LOCATION, RETRY_AFTER},
};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tower::{BoxError, Layer, ServiceExt as _, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Mechanism, Outcome, config::Configured, render::Rendered,
};

use crate::support::{PROTOCOLS, Protocol, SECRET, Server, log::Log, observed, request, within};

fn value(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

fn configured() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().capture_headers()
}

fn with_renderer() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().with_renderer(|exception: &HttpException, _: &Caught| {
        Rendered::new(value("text/x"), exception.to_string())
    })
}

/// Fails with the exception of `make` by the mechanism that the path names.
async fn fail(
    request: Request<Incoming>,
    make: fn() -> HttpException,
) -> Result<Response<Full<Bytes>>, BoxError> {
    match request.uri().path() {
        "/returned" => Err(make().into()),
        "/attached" => Ok(make().into()),
        "/raised" => make().raise(),
        "/raised-async" => make().raise_async().await,
        path => panic!("{path}"),
    }
}

const PATHS: [&str; 4] = ["/returned", "/attached", "/raised", "/raised-async"];

async fn start(layer: ExceptionLayer<Configured>, make: fn() -> HttpException) -> Server {
    let service = service_fn(move |request| fail(request, make));
    Server::start(layer.layer(service)).await
}

// E5

fn closing() -> HttpException {
    HttpException::payload_too_large("too long").with_header(CONNECTION, value("Close"))
}

/// Sends one request of this version and reads until the server closes the connection.
async fn read_to_the_end(server: &Server, path: &str, version: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET {path} {version}\r\nhost: test\r\nconnection: keep-alive\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = String::new();
    within(stream.read_to_string(&mut received)).await.unwrap();
    received
}

macro_rules! check_closing {
    ($layer:expr) => {
        let server =
            Server::start($layer.layer(service_fn(|request| fail(request, closing)))).await;
        for path in PATHS {
            for version in ["HTTP/1.1", "HTTP/1.0"] {
                let received = read_to_the_end(&server, path, version).await;
                assert!(received.contains("413 Payload Too Large\r\n"), "{received}");
                assert!(received.contains("\r\nconnection: close"), "{received}");
            }
            // Over HTTP/2 it is not sent, and the connection stays open.
            let mut client = server.connect(Protocol::Http2).await;
            for _ in 0..2 {
                let received = client.exchange(request(Method::GET, path)).await.unwrap();
                assert_eq!(
                    (received.status.as_u16(), received.header("connection")),
                    (413, None)
                );
            }
        }
    };
}

#[tokio::test]
async fn connection_close_of_an_exception_closes_the_connection() {
    check_closing!(ExceptionLayer::new());
    check_closing!(configured());
    check_closing!(with_renderer());
    check_closing!(ExceptionLayer::new().on(|caught: Caught<HttpException>| (*caught).clone()));
    check_closing!(
        ExceptionLayer::new().on(async |caught: Caught<HttpException>| (*caught).clone())
    );
}

/// A configured layer does not leave it to the server to drop the header over HTTP/2.
#[tokio::test]
async fn connection_close_is_dropped_over_http_2_without_the_server() {
    let layers: [fn() -> ExceptionLayer<Configured>; 3] = [configured, with_renderer, || {
        ExceptionLayer::new().on(|caught: Caught<HttpException>| (*caught).clone())
    }];
    for layer in layers {
        for attached in [true, false] {
            for (version, expected) in [
                (Version::HTTP_10, Some("close")),
                (Version::HTTP_11, Some("close")),
                (Version::HTTP_2, None),
                (Version::HTTP_3, None),
            ] {
                let service = service_fn(move |_: Request<()>| async move {
                    match attached {
                        true => Ok(Response::<Full<Bytes>>::from(closing())),
                        false => Err(BoxError::from(closing())),
                    }
                });
                let mut request = Request::new(());
                *request.version_mut() = version;
                let response = layer().layer(service).oneshot(request).await.unwrap();
                let connection = response.headers().get(CONNECTION);
                assert_eq!(connection.map(|value| value.to_str().unwrap()), expected);
            }
        }
    }
}

#[tokio::test]
async fn other_values_of_connection_are_dropped() {
    type Case = (fn() -> HttpException, Option<&'static str>);
    let cases: [Case; 4] = [
        (|| closing_as("keep-alive"), None),
        (|| closing_as("x-hint"), None),
        (|| closing_as("keep-alive, CLOSE ,x-hint"), Some("close")),
        (
            || {
                HttpException::new(StatusCode::UPGRADE_REQUIRED)
                    .with_header(header::UPGRADE, value("h2c"))
                    .with_header(CONNECTION, value("close"))
            },
            Some("upgrade, close"),
        ),
    ];
    fn closing_as(connection: &'static str) -> HttpException {
        HttpException::bad_request("no").with_header(CONNECTION, value(connection))
    }
    for (make, expected) in cases {
        let received = start(configured(), make).await.get("/returned").await;
        assert_eq!(received.header("connection"), expected);
    }
}

// E6

/// The text of a 5xx names a type of the server, in axum's words.
#[derive(Clone)]
struct Database;

#[tokio::test]
async fn the_text_of_a_server_error_is_for_the_log_only() {
    let app = |layer| {
        Router::new()
            .route("/items", get(|_: Extension<Database>| async {}))
            .route(
                "/pool",
                get(|| async { (StatusCode::SERVICE_UNAVAILABLE, SECRET) }),
            )
            .layer(layer)
    };
    let log = Log::start();
    let (layer, mut reports) = observed(ExceptionLayer::new().adopt_error_responses());
    let layer = layer.observe(|caught: &Caught, _: Outcome| {
        let exception = caught.downcast_ref::<HttpException>().unwrap();
        let text = exception.origin().unwrap().to_string();
        assert!(text == SECRET || text.contains("Database"), "{text}");
    });
    let server = Server::start(app(layer)).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        let received = client
            .exchange(request(Method::GET, "/items"))
            .await
            .unwrap();
        received.assert_detail(500, "Internal Server Error");
        let received = client
            .exchange(request(Method::GET, "/pool"))
            .await
            .unwrap();
        received.assert_detail(503, "Service Unavailable");
        assert_eq!(
            reports
                .take()
                .iter()
                .filter(|report| report.mechanism == Mechanism::Adopted)
                .count(),
            2
        );
    }
    let errors: Vec<_> = log
        .events()
        .iter()
        .map(|event| event.get("exception.message").unwrap().to_owned())
        .collect();
    assert!(errors[0].starts_with("500: Internal Server Error: Missing request extension"));
    assert_eq!(errors[1], format!("503: Service Unavailable: {SECRET}"));

    let shown = ExceptionLayer::new().adopt_server_error_texts();
    let received = Server::start(app(shown.adopt_error_responses()))
        .await
        .get("/items")
        .await;
    assert!(
        received.text().contains("Missing request extension"),
        "{received}"
    );
}

/// Over gRPC too.
#[tokio::test]
async fn the_text_of_a_server_error_is_no_grpc_message() {
    let service = service_fn(async |_: Request<()>| {
        let response = Response::builder()
            .status(503)
            .header(header::CONTENT_TYPE, "text/plain");
        Ok::<_, BoxError>(response.body(Full::<Bytes>::from(SECRET)).unwrap())
    });
    let request = Request::post("/").header(header::CONTENT_TYPE, "application/grpc");
    let layer = ExceptionLayer::new().adopt_error_responses();
    let response = layer
        .layer(service)
        .oneshot(request.body(()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.headers()["grpc-status"], "14");
    assert_eq!(response.headers()["grpc-message"], "Service Unavailable");
}

// E7

/// Returns as many headers as a map holds.
fn full_map() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for i in 0..24_576 {
        let name = HeaderName::try_from(format!("x-{i}")).unwrap();
        headers.insert(name, value("v"));
    }
    headers
}

fn full_of_headers(status: StatusCode) -> HttpException {
    let mut exception = HttpException::new(status);
    *exception.headers_mut() = full_map();
    exception
}

#[tokio::test]
async fn an_exception_that_is_full_of_headers_has_a_response() {
    for status in [404, 205, 303, 416, 426] {
        let status = StatusCode::from_u16(status).unwrap();
        let response = Response::<Full<Bytes>>::from(full_of_headers(status));
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().len(), 24_576);
        if status == 404 {
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        }
    }
}

#[tokio::test]
async fn a_layer_never_fails_for_too_many_headers() {
    let layers: [fn() -> ExceptionLayer<Configured>; 4] = [
        configured,
        with_renderer,
        || ExceptionLayer::new().adopt_error_responses(),
        || {
            ExceptionLayer::new().on(|_: Caught<HttpException>| {
                let mut response = Response::new(Full::<Bytes>::from("text"));
                *response.headers_mut() = full_map();
                response
            })
        },
    ];
    for layer in layers {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            for mechanism in ["returned", "attached", "adopted"] {
                let service = service_fn(move |_: Request<()>| async move {
                    let exception = full_of_headers(StatusCode::NOT_FOUND);
                    match mechanism {
                        "returned" => Err(BoxError::from(exception)),
                        "attached" => Ok(Response::<Full<Bytes>>::from(exception)),
                        _ => {
                            let mut response = Response::new(Full::from("text"));
                            *response.status_mut() = StatusCode::NOT_FOUND;
                            *response.headers_mut() = full_map();
                            Ok(response)
                        }
                    }
                });
                let request = || {
                    let mut request = Request::new(());
                    *request.method_mut() = method.clone();
                    let grpc = value("application/grpc");
                    request.headers_mut().insert(header::CONTENT_TYPE, grpc);
                    request
                };
                let response = layer().layer(service).oneshot(request()).await.unwrap();
                assert_ne!(response.status(), 500, "{method} {mechanism}");
                let nested = layer().layer(ExceptionLayer::new().layer(service));
                let response = nested.oneshot(request()).await.unwrap();
                assert_ne!(response.status(), 500, "{method} {mechanism}, nested");
            }
        }
    }
}

// E16

#[tokio::test]
async fn a_redirection_has_no_body_unless_it_has_a_detail() {
    fn see_other() -> HttpException {
        HttpException::new(StatusCode::SEE_OTHER)
            .with_header(LOCATION, value("/login"))
            .with_header(RETRY_AFTER, value("1"))
    }
    let layers: [fn() -> ExceptionLayer<Configured>; 3] = [configured, with_renderer, || {
        ExceptionLayer::new().on(|_: Caught<HttpException>| see_other())
    }];
    for layer in layers {
        let server = start(layer(), see_other).await;
        for path in PATHS {
            for method in [Method::GET, Method::HEAD] {
                for protocol in PROTOCOLS {
                    let mut client = server.connect(protocol).await;
                    assert_eq!(
                        client.ask(method.clone(), path).await,
                        "303 | content-length: 0 | location: /login | retry-after: 1"
                    );
                }
            }
        }
    }
    let make = || see_other().with_detail("log in first");
    let received = start(configured(), make).await.get("/returned").await;
    received.assert_detail(303, "log in first");
}
