//! Exceptions in an axum application, with and without the layer.

mod support;

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{FromRequestParts, Path, Request},
    handler::Handler,
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use serde_json::{Value, json};
use tower::{BoxError, Layer as _, ServiceBuilder, service_fn};
use tower_exception::{Caught, ExceptionLayer, HttpException, render::Rendered};
use tower_http::{timeout::TimeoutLayer, trace::TraceLayer};

use support::{Differences, PLAIN_500, PLAIN_504, PROTOCOLS, Protocol, Server};

async fn item(Path(id): Path<u32>) -> Result<Json<Value>, HttpException> {
    match id {
        1 => Ok(Json(json!({ "name": "plumbus" }))),
        _ => Err(HttpException::not_found("Item not found")
            .with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))),
    }
}

/// An extractor that rejects every request.
struct User;

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = HttpException;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, HttpException> {
        Err(HttpException::unauthorized("Not authenticated")
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
    }
}

async fn whoami(_: User) -> &'static str {
    "you"
}

async fn status(Path(code): Path<u16>) -> HttpException {
    HttpException::new(StatusCode::from_u16(code).unwrap())
}

async fn deep() -> String {
    format!("{} left", one())
}

fn one() -> u32 {
    two() - 1
}

fn two() -> u32 {
    three() + 1
}

fn three() -> u32 {
    HttpException::conflict("out of stock").raise()
}

async fn panics() -> &'static str {
    panic!("the password is hunter2")
}

async fn panics_late() -> &'static str {
    tokio::task::yield_now().await;
    panic!("the password is hunter2")
}

async fn guard(request: Request, next: Next) -> Result<Response, HttpException> {
    match request.uri().path() {
        "/guarded/raised" => HttpException::forbidden("raised on the way").raise(),
        "/guarded/returned" => Err(HttpException::forbidden("returned on the way")),
        _ => Ok(next.run(request).await),
    }
}

fn routes() -> Router {
    Router::new()
        .route("/items/{id}", get(item))
        .route("/whoami", get(whoami))
        .route("/status/{code}", get(status))
        .route("/deep", get(deep))
        .route("/panics", get(panics))
        .route("/panics-late", get(panics_late))
        .route("/guarded/{*rest}", get("let through"))
        .layer(middleware::from_fn(guard))
}

/// Rows that need no layer.
const RETURNED: [(&str, &str); 8] = [
    (
        "/items/1",
        r#"200 | content-length: 18 | content-type: application/json | {"name":"plumbus"}"#,
    ),
    (
        "/items/2",
        r#"404 | cache-control: no-store | content-length: 27 | content-type: application/json | {"detail":"Item not found"}"#,
    ),
    (
        "/whoami",
        r#"401 | content-length: 30 | content-type: application/json | www-authenticate: Bearer | {"detail":"Not authenticated"}"#,
    ),
    (
        "/guarded/returned",
        r#"403 | content-length: 32 | content-type: application/json | {"detail":"returned on the way"}"#,
    ),
    (
        "/guarded/not",
        "200 | content-length: 11 | content-type: text/plain; charset=utf-8 | let through",
    ),
    (
        "/status/418",
        r#"418 | content-length: 25 | content-type: application/json | {"detail":"I'm a teapot"}"#,
    ),
    ("/status/101", PLAIN_500),
    ("/status/205", "205 | content-length: 0"),
];

/// Rows that need a layer.
const UNWOUND: [(&str, &str); 4] = [
    (
        "/deep",
        r#"409 | content-length: 25 | content-type: application/json | {"detail":"out of stock"}"#,
    ),
    ("/panics", PLAIN_500),
    ("/panics-late", PLAIN_500),
    (
        "/guarded/raised",
        r#"403 | content-length: 30 | content-type: application/json | {"detail":"raised on the way"}"#,
    ),
];

/// Checks that `GET` receives each response and `HEAD` its head, all over one connection.
async fn check(router: Router, rows: impl IntoIterator<Item = (&str, &str)> + Clone) {
    let mut differences = Differences::default();
    let server = Server::start_axum(router).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for (path, expected) in rows.clone() {
            let got = client.get(path).await;
            differences.note(&format!("GET {path} over {protocol:?}"), &got, expected);
            let got = client.ask(Method::HEAD, path).await;
            let length = expected.rfind(" | ").filter(|_| !expected.ends_with(": 0"));
            let head = &expected[..length.unwrap_or(expected.len())];
            differences.note(&format!("HEAD {path} over {protocol:?}"), &got, head);
        }
    }
    differences.assert_none();
}

fn everything() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    RETURNED.into_iter().chain(UNWOUND)
}

#[tokio::test]
async fn returned_exceptions_need_no_layer() {
    check(routes(), RETURNED).await;
}

#[tokio::test]
async fn a_layer_on_the_router_catches_everything() {
    check(routes().layer(ExceptionLayer::new()), everything()).await;
}

#[tokio::test]
async fn a_layer_on_the_routes_catches_everything() {
    check(routes().route_layer(ExceptionLayer::new()), everything()).await;
}

/// There is no length either, though axum adds one to every body of known length.
#[tokio::test]
async fn statuses_without_content_have_no_body() {
    async fn raise(Path(code): Path<u16>) -> HttpException {
        HttpException::new(StatusCode::from_u16(code).unwrap()).raise()
    }
    let router = Router::new()
        .route("/attached/{code}", get(status))
        .route("/raised/{code}", get(raise))
        .layer(ExceptionLayer::new());
    let rows = [
        ("/attached/204", "204"),
        ("/attached/304", "304"),
        ("/raised/204", "204"),
        ("/raised/304", "304"),
    ];
    check(router, rows).await;
}

#[tokio::test]
async fn the_layer_works_in_a_stack_of_layers() {
    let stack = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(ExceptionLayer::new())
        .load_shed()
        .concurrency_limit(8)
        .timeout(Duration::from_secs(10))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            Duration::from_secs(10),
        ));
    check(routes().layer(stack), everything()).await;
}

/// The `ExceptionLayer` handles the errors of tower's own layers, so no `HandleErrorLayer` is
/// needed.
#[tokio::test]
async fn an_error_of_a_layer_below_is_handled() {
    let stack = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .timeout(Duration::from_millis(1));
    let router = Router::new()
        .route("/slow", get(std::future::pending::<()>))
        .layer(stack);
    let expected = match cfg!(feature = "tower") {
        true => PLAIN_504,
        false => PLAIN_500,
    };
    check(router, [("/slow", expected)]).await;
}

#[tokio::test]
async fn the_layer_works_on_a_handler_and_on_a_method_router() {
    let router = Router::new()
        .route("/deep", get(deep.layer(ExceptionLayer::new())))
        .route("/panics", get(panics).layer(ExceptionLayer::new()));
    check(router, UNWOUND.into_iter().take(2)).await;
}

#[tokio::test]
async fn the_layer_works_around_a_plain_service() {
    let service = service_fn(async |_: Request| -> Result<Response, BoxError> {
        Err(HttpException::payment_required("insert coin").into())
    });
    let router = Router::new().fallback_service(ExceptionLayer::new().layer(service));
    let expected =
        r#"402 | content-length: 24 | content-type: application/json | {"detail":"insert coin"}"#;
    check(router, [("/anything", expected)]).await;
}

#[tokio::test]
async fn the_outermost_layer_of_nested_routers_renders() {
    fn text(exception: &HttpException, caught: &Caught) -> Rendered {
        let body = format!("{}: {exception}", caught.request().uri().path());
        Rendered::new(HeaderValue::from_static("text/plain"), body)
    }
    let router = Router::new()
        .nest("/plain", routes())
        .nest("/layered", routes().layer(ExceptionLayer::new()))
        .nest(
            "/text",
            routes().layer(ExceptionLayer::new().with_renderer(text)),
        )
        .layer(ExceptionLayer::new());
    let json =
        r#"409 | content-length: 25 | content-type: application/json | {"detail":"out of stock"}"#;
    let rows = [
        ("/plain/deep", json),
        ("/layered/deep", json),
        ("/layered/panics", PLAIN_500),
        // axum strips the prefix before the nested router's layers receive the request.
        (
            "/text/deep",
            "409 | content-length: 24 | content-type: text/plain | /deep: 409: out of stock",
        ),
        (
            "/text/items/2",
            "404 | cache-control: no-store | content-length: 29 | content-type: text/plain | \
             /items/2: 404: Item not found",
        ),
    ];
    check(router.clone(), rows).await;

    let router = router.layer(ExceptionLayer::new().with_renderer(text));
    let rows = [
        (
            "/plain/deep",
            "409 | content-length: 30 | content-type: text/plain | /plain/deep: 409: out of stock",
        ),
        (
            "/layered/deep",
            "409 | content-length: 32 | content-type: text/plain | /layered/deep: 409: out of stock",
        ),
        (
            "/text/deep",
            "409 | content-length: 29 | content-type: text/plain | /text/deep: 409: out of stock",
        ),
    ];
    check(router, rows).await;
}

/// An exception leaves no state in a connection.
#[tokio::test]
async fn concurrent_requests_get_their_own_responses() {
    let server = Server::start_axum(routes().layer(ExceptionLayer::new())).await;
    let clients = (0..8).map(async |client: usize| {
        let mut connection = server.connect(PROTOCOLS[client % 2]).await;
        for (path, expected) in everything().cycle().skip(client).take(100) {
            assert_eq!(connection.get(path).await, expected, "{path}");
        }
    });
    support::within(futures_util::future::join_all(clients)).await;
}

/// Error responses without an exception pass through.
#[tokio::test]
async fn an_error_response_without_an_exception_passes_unchanged() {
    let router = routes()
        .route(
            "/own",
            get((
                StatusCode::IM_A_TEAPOT,
                [("x-own", "own")],
                "short and stout",
            )),
        )
        .layer(ExceptionLayer::new());
    let server = Server::start_axum(router).await;
    let mut client = server.connect(Protocol::Http1).await;
    assert_eq!(client.get("/unknown").await, "404 | content-length: 0");
    assert_eq!(
        client.get("/own").await,
        "418 | content-length: 15 | content-type: text/plain; charset=utf-8 | x-own: own | short and stout"
    );
    let rejection = client.get("/items/one").await;
    assert!(rejection.starts_with("400 | "), "{rejection}");
    assert!(rejection.contains(" | Invalid URL: "), "{rejection}");
}
