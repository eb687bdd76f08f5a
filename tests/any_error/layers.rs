//! Errors without a layer, and in layers of layers.

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
};
use http::{
    HeaderValue, Method, StatusCode,
    header::{CONTENT_TYPE, SET_COOKIE, WWW_AUTHENTICATE},
};
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, Reply, config::Configured, render::Rendered,
};

use crate::{
    shop::{OrderError, ShopError, disk, elapsed, returning, sold_out},
    support::{PLAIN_500, PLAIN_504, PROTOCOLS, Received, Server, observed},
};

/// An exception with a header of its own.
fn denied() -> HttpException {
    HttpException::unauthorized("who are you?")
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

const CASES: [&str; 5] = ["/own", "/denied", "/deep", "/late", "/io"];

fn routes() -> Router {
    let deep = || OrderError(anyhow::Error::new(denied()).context("the user"));
    Router::new()
        .route("/own", returning(sold_out))
        .route("/denied", returning(denied))
        .route("/deep", returning(deep))
        .route("/late", returning(elapsed))
        .route("/io", returning(disk))
}

const DENIED: &str = "401 | content-length: 25 | content-type: application/json | \
                      www-authenticate: Bearer | {\"detail\":\"who are you?\"}";

/// Requests all [`CASES`] over either version of HTTP.
async fn check(app: Router, expected: [&str; 5]) {
    let server = Server::start_axum(app).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for (path, expected) in CASES.into_iter().zip(expected) {
            assert_eq!(client.get(path).await, expected, "{path} {protocol:?}");
            let (without_body, _) = expected.rsplit_once(" | ").unwrap();
            let head = client.ask(Method::HEAD, path).await;
            assert_eq!(head, without_body, "{path} {protocol:?}");
        }
    }
}

#[tokio::test]
async fn without_a_layer_an_error_is_a_500_that_says_nothing() {
    // axum itself strips the body of a response to a `HEAD`.
    check(
        routes(),
        [PLAIN_500, DENIED, PLAIN_500, PLAIN_500, PLAIN_500],
    )
    .await;
}

#[tokio::test]
async fn an_unconfigured_layer_renders_what_it_knows_of_an_error() {
    let expected = [PLAIN_500, DENIED, DENIED, PLAIN_504, PLAIN_500];
    check(routes().layer(ExceptionLayer::new()), expected).await;
    let twice = routes().layer(ExceptionLayer::new());
    check(twice.layer(ExceptionLayer::new()), expected).await;
    check(routes().layer(observed(ExceptionLayer::new()).0), expected).await;
    let both = routes().layer(ExceptionLayer::new());
    check(both.layer(observed(ExceptionLayer::new()).0), expected).await;
}

fn gone() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().on(|_: Caught<ShopError>| HttpException::gone("sold out"))
}

const GONE: &str =
    r#"410 | content-length: 21 | content-type: application/json | {"detail":"sold out"}"#;

fn declining() -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .on(|_: Caught<ShopError>| Reply::decline())
        .on_any(async |_: Caught| tokio::task::yield_now().await)
}

#[tokio::test]
async fn an_outer_layer_handles_an_error_that_the_inner_one_does_not() {
    let expected = [GONE, DENIED, DENIED, PLAIN_504, PLAIN_500];
    check(
        routes().layer(ExceptionLayer::new()).layer(gone()),
        expected,
    )
    .await;
    check(routes().layer(declining()).layer(gone()), expected).await;
    check(routes().layer(gone()).layer(declining()), expected).await;
    check(
        routes().layer(gone()).layer(ExceptionLayer::new()),
        expected,
    )
    .await;
}

#[tokio::test]
async fn an_inner_layers_reply_is_final() {
    let teapot = ExceptionLayer::new()
        .on_any(|_: Caught| HttpException::new(StatusCode::IM_A_TEAPOT))
        .on_status(400..=599, |_: Caught<HttpException>| {
            StatusCode::IM_A_TEAPOT
        });
    let server = Server::start_axum(routes().layer(gone()).layer(teapot)).await;
    assert_eq!(server.get("/own").await.to_string(), GONE);
    assert_eq!(server.get("/io").await.status, 418);
    assert_eq!(server.get("/denied").await.status, 418);
}

#[tokio::test]
async fn an_error_under_two_layers_is_reported_to_both_once() {
    let (inner, mut of_inner) = observed(declining());
    let (outer, mut of_outer) = observed(gone());
    let server = Server::start_axum(routes().layer(inner).layer(outer)).await;
    for (path, expected) in [
        ("/own", "Attached Future Status(410): plumbus is sold out"),
        ("/denied", "Attached Future Status(401): 401: who are you?"),
        ("/deep", "Attached Future Status(401): the order"),
    ] {
        server.get(path).await;
        assert_eq!(of_inner.take(), [expected], "{path}");
        assert_eq!(of_outer.take(), [expected], "{path}");
    }
}

fn text(exception: &HttpException, _: &Caught) -> Rendered {
    let plain = HeaderValue::from_static("text/plain");
    Rendered::new(plain, format!("{exception}\n"))
}

#[tokio::test]
async fn an_outer_renderer_renders_an_errors_500_again() {
    let expected = [
        "500 | content-length: 27 | content-type: text/plain | 500: Internal Server Error\n",
        "401 | content-length: 18 | content-type: text/plain | www-authenticate: Bearer | \
         401: who are you?\n",
        "401 | content-length: 18 | content-type: text/plain | www-authenticate: Bearer | \
         401: who are you?\n",
        "504 | content-length: 21 | content-type: text/plain | 504: Gateway Timeout\n",
        "500 | content-length: 27 | content-type: text/plain | 500: Internal Server Error\n",
    ];
    let layer = || ExceptionLayer::new().with_renderer(text);
    check(routes().layer(layer()), expected).await;
    check(
        routes().layer(ExceptionLayer::new()).layer(layer()),
        expected,
    )
    .await;
    check(routes().layer(declining()).layer(layer()), expected).await;
    check(
        routes()
            .layer(layer())
            .layer(declining().with_renderer(text)),
        expected,
    )
    .await;
}

async fn sanitize(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    match response.status().is_server_error() {
        false => response,
        true => {
            let (mut head, _) = response.into_parts();
            head.headers
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            head.headers.remove("content-length");
            Response::from_parts(head, Body::from("oops"))
        }
    }
}

const OOPS: &str = "500 | content-length: 4 | content-type: text/plain | oops";

#[tokio::test]
async fn a_response_that_a_middleware_has_replaced_is_final() {
    let renderer = || ExceptionLayer::new().with_renderer(text);
    let any = || ExceptionLayer::new().on_any(|_: Caught| StatusCode::IM_A_TEAPOT);
    for inner in [false, true] {
        let sanitized = || match inner {
            true => routes()
                .layer(ExceptionLayer::new())
                .layer(from_fn(sanitize)),
            false => routes().layer(from_fn(sanitize)),
        };
        for app in [
            sanitized().layer(ExceptionLayer::new()),
            sanitized().layer(renderer()),
            sanitized().layer(any()),
            sanitized().layer(gone()),
        ] {
            let server = Server::start_axum(app).await;
            assert_eq!(server.get("/own").await.to_string(), OOPS, "{inner}");
            assert_eq!(server.get("/io").await.to_string(), OOPS, "{inner}");
        }
    }
}

/// Headers of a layer in between, on a response that carries an error.
#[tokio::test]
async fn headers_of_layers_in_between_stay_on_every_error() {
    async fn mark(request: Request, next: Next) -> Response {
        let mut response = next.run(request).await;
        let headers = response.headers_mut();
        headers.append(SET_COOKIE, HeaderValue::from_static("a=1"));
        headers.insert("x-request-id", HeaderValue::from_static("7"));
        response
    }
    let marked = || routes().layer(from_fn(mark));
    for layer in [gone(), gone().with_renderer(text), declining()] {
        let server = Server::start_axum(marked().layer(layer)).await;
        for path in CASES {
            let received = server.get(path).await;
            assert_eq!(received.header("set-cookie"), Some("a=1"), "{path}");
            assert_eq!(received.header("x-request-id"), Some("7"), "{path}");
        }
    }
    let server = Server::start_axum(marked().layer(ExceptionLayer::new())).await;
    let expected = PLAIN_504.replace(" | {", " | set-cookie: a=1 | x-request-id: 7 | {");
    assert_eq!(server.get("/late").await.to_string(), expected);
    let received = server.get("/deep").await;
    assert_eq!(received.header("www-authenticate"), Some("Bearer"));
    assert_eq!(received.header("set-cookie"), Some("a=1"));
}

#[tokio::test]
async fn a_response_of_an_error_says_nothing() {
    let response = Error::from(disk()).into_response();
    assert_eq!(response.status(), 500);
    let received = Received::of(response).await;
    assert_eq!(received.text(), r#"{"detail":"Internal Server Error"}"#);
}
