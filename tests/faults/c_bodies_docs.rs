//! Ends of bodies over HTTP/1.0, and the heads of `GET` and `HEAD`, as the handler guide describes
//! them.

use std::net::SocketAddr;

use axum::response::IntoResponse as _;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::{Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tower::{BoxError, Layer, ServiceBuilder, service_fn};
use tower_exception::{Caught, ExceptionLayer, HttpException, render::Rendered};

use crate::support::{Differences, PROTOCOLS, SecretError, Server, body, request, within};

type StreamResponse = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// Sends half of its body, and then fails. `/length` declares the length of the whole.
async fn half(request: Request<Incoming>) -> Result<StreamResponse, BoxError> {
    let frames = stream::iter([0, 1]).then(|half| async move {
        // The server flushes the first frame when the body is pending.
        tokio::task::yield_now().await;
        match half {
            0 => Ok("half"),
            _ => Err(BoxError::from(SecretError)),
        }
    });
    let mut response = Response::new(body(frames));
    if request.uri().path() == "/length" {
        let whole = HeaderValue::from_static("8");
        response.headers_mut().insert(header::CONTENT_LENGTH, whole);
    }
    Ok(response)
}

/// Sends a request in these bytes, and reads to the end of the connection. Returns the response
/// without its `date`.
async fn read_to_end(address: SocketAddr, request: String) -> String {
    within(async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        // A reset would be an error.
        stream.read_to_end(&mut response).await.unwrap();
        let response = String::from_utf8(response).unwrap();
        let lines = response.split("\r\n");
        let lines: Vec<_> = lines.filter(|line| !line.starts_with("date:")).collect();
        lines.join("|")
    })
    .await
}

// C9
#[tokio::test]
async fn over_http_1_0_a_body_that_fails_ends_as_one_that_is_whole() {
    let bare = Server::start(service_fn(half)).await;
    let unconfigured = Server::start(ExceptionLayer::new().layer(service_fn(half))).await;
    let configured = ExceptionLayer::new().on_any(|_: Caught| StatusCode::BAD_GATEWAY);
    let configured = Server::start(configured.layer(service_fn(half))).await;
    let layered = [unconfigured.address(), configured.address()];

    for (path, version, expected) in [
        // The end of the connection is the end of the body, and both ends look alike.
        ("/", "1.0", "HTTP/1.0 200 OK||half"),
        // With a length the client can count.
        ("/length", "1.0", "HTTP/1.0 200 OK|content-length: 8||half"),
        ("/length", "1.1", "HTTP/1.1 200 OK|content-length: 8||half"),
        // The last chunk, `0`, is missing.
        (
            "/",
            "1.1",
            "HTTP/1.1 200 OK|transfer-encoding: chunked||4|half|",
        ),
    ] {
        let request = || format!("GET {path} HTTP/{version}\r\nhost: test\r\n\r\n");
        let from_bare = read_to_end(bare.address(), request()).await;
        assert_eq!(from_bare, expected, "{path} over HTTP/{version}");
        for address in layered {
            assert_eq!(read_to_end(address, request()).await, from_bare);
        }
    }
}

type TestResponse = Response<Full<Bytes>>;

/// Each way by which a failure reaches the layer, and each status that has no body.
const PATHS: [&str; 11] = [
    "/returned",
    "/attached",
    "/raised",
    "/raised-async",
    "/error",
    "/panic",
    "/json",
    "/content-type",
    "/204",
    "/205",
    "/304",
];

async fn failing(request: Request<Incoming>) -> Result<TestResponse, BoxError> {
    let not_found = || {
        let get = HeaderValue::from_static("GET");
        HttpException::not_found("Item not found").with_header(header::ALLOW, get)
    };
    let path = request.uri().path();
    match path {
        "/returned" => Err(not_found().into()),
        "/attached" => Ok(not_found().into()),
        "/raised" => not_found().raise(),
        "/raised-async" => not_found().raise_async().await,
        "/error" => Err(SecretError.into()),
        "/panic" => panic!("the password is hunter2"),
        "/json" => {
            let detail = serde_json::json!({ "wanted": 3, "left": 1 });
            let conflict = HttpException::new(StatusCode::CONFLICT);
            Err(conflict.try_with_json(&detail)?.into())
        }
        "/content-type" => {
            let json = HeaderValue::from_static("application/problem+json");
            Err(not_found().with_header(header::CONTENT_TYPE, json).into())
        }
        "/plain-404" => {
            let body = match *request.method() {
                Method::HEAD => "",
                _ => "no such thing",
            };
            let mut response = Response::new(Full::from(body));
            // As axum responds to `HEAD`.
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from_static("13"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            let text = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, text);
            Ok(response)
        }
        status => Err(HttpException::new(status[1..].parse()?).into()),
    }
}

fn text(exception: &HttpException, _: &Caught) -> Rendered {
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    Rendered::new(text, exception.to_string())
}

/// Returns the servers of the layers whose responses may differ, by name.
async fn servers() -> [(&'static str, Server); 6] {
    let new = ExceptionLayer::new;
    let handled = new().on(|_: Caught<HttpException>| HttpException::gone("it was sold"));
    let replied = new().on_any(|_: Caught| (StatusCode::GONE, "it was sold").into_response());
    let rendered = new().with_renderer(text);
    let adopting = new().adopt_error_responses();
    let nested = ServiceBuilder::new()
        .layer(new().with_renderer(text))
        .layer(new());
    let failing = || service_fn(failing);
    [
        ("unconfigured", Server::start(new().layer(failing())).await),
        ("handled", Server::start(handled.layer(failing())).await),
        ("replied", Server::start(replied.layer(failing())).await),
        ("rendered", Server::start(rendered.layer(failing())).await),
        ("adopting", Server::start(adopting.layer(failing())).await),
        ("nested", Server::start(nested.service(failing())).await),
    ]
}

// E23
#[tokio::test]
async fn get_and_head_have_the_same_headers() {
    let mut differences = Differences::default();
    for (name, server) in servers().await {
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            for path in PATHS {
                let head = client.exchange(request(Method::HEAD, path)).await.unwrap();
                assert_eq!(head.text(), "");
                let mut get = client.exchange(request(Method::GET, path)).await.unwrap();
                get.body = Bytes::new();
                let case = format!("{path}, {name}, over {protocol:?}");
                differences.note(&case, &head.to_string(), &get.to_string());
            }
        }
    }
    differences.assert_none();
}

/// The layer adds no length to a `GET`. A server takes it from the body's `size_hint`.
// E23
#[tokio::test]
async fn the_size_hint_of_a_rendered_body_is_the_length_that_a_head_has() {
    let layer = ExceptionLayer::new();
    for raises in [false, true] {
        let service = layer.layer(service_fn(async |_: Request<()>| match raises {
            true => HttpException::gone("sold out").raise(),
            false => Err::<TestResponse, _>(BoxError::from(HttpException::gone("sold out"))),
        }));
        let [get, head] = [Method::GET, Method::HEAD].map(|method| {
            let request = Request::builder().method(method).body(()).unwrap();
            tower::ServiceExt::oneshot(service.clone(), request)
        });
        let (get, head) = (get.await.unwrap(), head.await.unwrap());
        assert_eq!(get.headers().get(header::CONTENT_LENGTH), None);
        assert_eq!(get.body().size_hint().exact(), Some(21));
        assert_eq!(head.headers()[header::CONTENT_LENGTH], "21");
    }
}

/// The text that a `GET` gets is not there for a `HEAD`, so its length is not known.
// E23
#[tokio::test]
async fn a_head_of_an_adopted_response_differs_only_in_its_missing_length() {
    let adopting = ExceptionLayer::new().adopt_error_responses();
    let server = Server::start(adopting.layer(service_fn(failing))).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        assert_eq!(
            client.get("/plain-404").await,
            r#"404 | content-length: 26 | content-type: application/json | {"detail":"no such thing"}"#
        );
        assert_eq!(
            client.ask(Method::HEAD, "/plain-404").await,
            "404 | content-type: application/json"
        );
    }
}
