//! Starlette's tests over HTTP.

use axum::{
    Json, Router,
    body::Body,
    response::IntoResponse,
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tower_exception::{Caught, ExceptionLayer, HttpException, config::LayerConfig, render::Text};
use tower_http::set_header::SetResponseHeaderLayer;

use super::{EXITS, RuntimeError, assert_got, failing, plain_text};
use crate::support::{BoxError, PROTOCOLS, Protocol, Server, observed, request};

fn routes() -> Router {
    Router::new()
        .route("/{exit}/runtime_error", failing(|| RuntimeError))
        .route(
            "/{exit}/not_acceptable",
            failing(|| HttpException::new(StatusCode::NOT_ACCEPTABLE)),
        )
        .route(
            "/{exit}/no_content",
            failing(|| HttpException::new(StatusCode::NO_CONTENT)),
        )
        .route(
            "/{exit}/not_modified",
            failing(|| HttpException::new(StatusCode::NOT_MODIFIED)),
        )
        .route(
            "/{exit}/with_headers",
            failing(|| {
                let exception = HttpException::new(StatusCode::OK);
                exception.try_with_header("x-potato", "always").unwrap()
            }),
        )
}

async fn serve(layer: ExceptionLayer<impl LayerConfig>) -> Server {
    Server::start_axum(routes().layer(layer)).await
}

async fn serve_texts() -> Server {
    serve(ExceptionLayer::new().on(plain_text)).await
}

#[tokio::test]
async fn test_not_acceptable() {
    let text =
        "406 | content-length: 14 | content-type: text/plain; charset=utf-8 | Not Acceptable";
    assert_got(&serve_texts().await, "/not_acceptable", text).await;
}

/// Checks a status that forbids a body, with each renderer.
///
/// A response of a handler is sent as it is. axum itself sends the length of a body that it drops.
async fn assert_bodiless(path: &str, status: StatusCode) {
    let bare = status.as_str();
    assert_got(&serve(ExceptionLayer::new()).await, path, bare).await;
    let text = ExceptionLayer::new().with_renderer(Text);
    assert_got(&serve(text).await, path, bare).await;

    let reason = status.canonical_reason().unwrap();
    let plain = Router::new().route("/", get(async move || (status, reason)));
    let plain = Server::start_axum(plain).await.get("/").await.to_string();
    assert_got(&serve_texts().await, path, &plain).await;
}

#[tokio::test]
async fn test_no_content() {
    assert_bodiless("/no_content", StatusCode::NO_CONTENT).await;
}

#[tokio::test]
async fn test_not_modified() {
    assert_bodiless("/not_modified", StatusCode::NOT_MODIFIED).await;
}

#[tokio::test]
async fn test_with_headers() {
    let text =
        "200 | content-length: 2 | content-type: text/plain; charset=utf-8 | x-potato: always | OK";
    assert_got(&serve_texts().await, "/with_headers", text).await;
}

/// A `HEAD` has the head of the `GET`, without a body.
#[tokio::test]
async fn test_not_acceptable_by_head() {
    let server = serve_texts().await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for exit in EXITS {
            let path = format!("/{exit}/not_acceptable");
            let head = client.ask(Method::HEAD, &path).await;
            let got = client.ask(Method::GET, &path).await;
            assert_eq!(got.strip_suffix(" | Not Acceptable"), Some(&*head));
        }
    }
}

/// A body that fails after its first bytes. Starlette's response is complete by then.
fn ok_then(error: fn() -> Result<Bytes, BoxError>) -> impl IntoResponse {
    let end = stream::once(async move {
        // The server flushes the first bytes when the body is pending.
        tokio::task::yield_now().await;
        error()
    });
    let start = stream::once(async { Ok(Bytes::from("OK")) });
    Body::from_stream(futures_util::StreamExt::chain(start, end))
}

/// The client has the response up to the failure, and no handler replaces it. Starlette reports a
/// `RuntimeError`, the layer the failure itself.
#[tokio::test]
async fn test_handled_exc_after_response() {
    fn not_acceptable() -> HttpException {
        HttpException::new(StatusCode::NOT_ACCEPTABLE)
    }
    let (layer, mut reports) = observed(
        ExceptionLayer::new()
            .on_status(406, |_: Caught<HttpException>| StatusCode::IM_A_TEAPOT)
            .on_any(|_: Caught| StatusCode::IM_A_TEAPOT),
    );
    let returned = get(async || ok_then(|| Err(not_acceptable().into())));
    let raised = get(async || ok_then(|| not_acceptable().raise()));
    let router = Router::new()
        .route("/returned", returned)
        .route("/raised", raised);
    let server = Server::start_axum(router.layer(layer)).await;
    for (path, mechanism) in [("/returned", "Returned"), ("/raised", "Raised")] {
        let received = server.get(path).await;
        assert_eq!((received.status, received.text()), (StatusCode::OK, "OK"));
        assert!(received.aborted, "the client takes it for the whole");
        let report = format!("{mechanism} Body Aborted: 406: Not Acceptable");
        assert_eq!(reports.next().await, report);
    }
    assert_eq!(server.panics(), 0);
}

/// Starlette's body is empty, and the default here is JSON. Neither has the error's text.
#[tokio::test]
async fn test_force_500_response() {
    let json = r#"500 | content-length: 34 | content-type: application/json | {"detail":"Internal Server Error"}"#;
    assert_got(&serve(ExceptionLayer::new()).await, "/runtime_error", json).await;
}

#[test]
fn test_http_str() {
    let not_found = || HttpException::new(StatusCode::NOT_FOUND);
    assert_eq!(not_found().to_string(), "404: Not Found");
    let foo = not_found().with_detail("Not Found: foo");
    assert_eq!(foo.to_string(), "404: Not Found: foo");
    let with_header = not_found().try_with_header("key", "value").unwrap();
    assert_eq!(with_header.to_string(), "404: Not Found");
}

/// A handler of the layer has the head of the request only. What it needs of the body, the error
/// has.
#[tokio::test]
async fn test_request_in_app_and_handler_is_the_same_object() {
    #[derive(Debug, thiserror::Error)]
    #[error("a bad body")]
    struct BadBody(String);
    let layer = ExceptionLayer::new().on(|error: Caught<BadBody>| {
        let body = json!({ "body": error.0 });
        (StatusCode::UNPROCESSABLE_ENTITY, Json(body))
    });
    let consume =
        post(async |body: String| -> tower_exception::Result<()> { Err(BadBody(body).into()) });
    let server = Server::start_axum(Router::new().route("/", consume).layer(layer)).await;
    let request = Request::post("/").body(Full::from("Hello!")).unwrap();
    let received = server.send(request).await;
    let json = r#"422 | content-length: 17 | content-type: application/json | {"body":"Hello!"}"#;
    assert_eq!(received.to_string(), json);
}

fn server_error() -> impl IntoResponse {
    let body = Json(json!({ "detail": "Server Error" }));
    (StatusCode::INTERNAL_SERVER_ERROR, body)
}

const SERVER_ERROR: &str =
    r#"500 | content-length: 25 | content-type: application/json | {"detail":"Server Error"}"#;

/// A handler for any failure, for its type and for its status, sync and async. The first two are
/// those of `test_handlers_annotations` too.
#[tokio::test]
async fn test_handler() {
    let layer = ExceptionLayer::new;
    for layer in [
        layer().on_any(|_: Caught| server_error()),
        layer().on_any(async |_: Caught| server_error()),
        layer().on(|_: Caught<RuntimeError>| server_error()),
        layer().on(async |_: Caught<RuntimeError>| server_error()),
        // `test_500` of `test_applications`.
        layer().on_status(500, |_: Caught<HttpException>| server_error()),
        layer().on_status(500, async |_: Caught<HttpException>| server_error()),
    ] {
        assert_got(&serve(layer).await, "/runtime_error", SERVER_ERROR).await;
    }
}

/// Over HTTP/1 the body of a 204 is not read, so that its failure is none. Over HTTP/2 hyper reads
/// it, with and without the layer.
#[tokio::test]
async fn test_debug_after_response_sent() {
    let no_content = get(async || {
        let failing = stream::once(async { Err::<Bytes, _>(RuntimeError) });
        (StatusCode::NO_CONTENT, Body::from_stream(failing))
    });
    let (layer, mut reports) = observed(ExceptionLayer::new());
    let server = Server::start_axum(Router::new().route("/", no_content).layer(layer)).await;
    let mut client = server.connect(Protocol::Http1).await;
    assert_eq!(client.get("/").await, "204");
    assert_eq!(client.get("/").await, "204");
    reports.assert_none();
}

/// The exception handlers of `test_applications`: 405, any `HTTPException`, and 500.
fn application() -> ExceptionLayer<impl LayerConfig> {
    ExceptionLayer::new()
        .adopt_error_responses()
        .on_status(405, |_: Caught<HttpException>| {
            HttpException::method_not_allowed("Custom message")
        })
        .on(|exception: Caught<HttpException>| {
            let body = json!({ "detail": exception.detail_or_reason().to_string() });
            (exception.status(), Json(body))
        })
}

/// The handler for a class has also the errors of the router, and that for a status comes first.
#[tokio::test]
async fn test_400_and_test_405() {
    let app = Router::new().route("/func", get(async || "Hello, world!"));
    let server = Server::start_axum(app.layer(application())).await;
    let not_found =
        r#"404 | content-length: 22 | content-type: application/json | {"detail":"Not Found"}"#;
    assert_eq!(server.get("/404").await.to_string(), not_found);
    let received = server.send(request(Method::POST, "/func")).await;
    assert_eq!(received.status, 405);
    assert_eq!(received.text(), r#"{"detail":"Custom message"}"#);
    let found = server.get("/func").await;
    assert_eq!(
        (found.status, found.text()),
        (StatusCode::OK, "Hello, world!")
    );
    assert_eq!(server.head("/func").await.text(), "");
}

/// An error in a nested app reaches the layer of the outer one.
#[tokio::test]
async fn test_exception_on_mounted_apps() {
    let (layer, mut reports) = observed(ExceptionLayer::new());
    let app = Router::new().nest("/sub", routes()).layer(layer);
    let server = Server::start_axum(app).await;
    for exit in EXITS {
        let path = format!("/sub/{exit}/runtime_error");
        server.get(&path).await.assert_default_500();
        assert_eq!(reports.next().await.failure, RuntimeError.to_string());
    }
}

fn named(name: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    let name = name.parse().unwrap();
    SetResponseHeaderLayer::appending(name, HeaderValue::from_static("true"))
}

/// Layers outside of the exception layer see the response to an exception. Those inside of it see
/// only an exception that is returned, because raising one skips them.
#[tokio::test]
async fn test_mounted_middleware_does_not_catch_exception() {
    let auth = || failing(|| HttpException::forbidden("auth"));
    let home = || get(async || "home");
    let inner = Router::new()
        .route("/{exit}/err", auth())
        .route("/home", home())
        .layer(named("x-mounted"));
    let own_layer = Router::new()
        .route("/{exit}/err", auth())
        .layer(ExceptionLayer::new())
        .layer(named("x-mounted"));
    let app = Router::new()
        .nest("/mount", inner)
        .nest("/with-layer", own_layer)
        .route("/{exit}/err", auth())
        .route("/home", home())
        .layer(ExceptionLayer::new())
        .layer(named("x-outer"));
    let server = Server::start_axum(app).await;
    for path in ["/home", "/mount/home"] {
        let received = server.get(path).await;
        assert_eq!(received.status, StatusCode::OK);
        assert_eq!(received.header("x-outer"), Some("true"));
    }
    for exit in EXITS {
        for (mount, is_inside_seen) in [
            ("", false),
            ("/mount", exit == "returned"),
            ("/with-layer", true),
        ] {
            let path = format!("{mount}/{exit}/err");
            let received = server.get(&path).await;
            received.assert_detail(403, "auth");
            assert_eq!(received.header("x-outer"), Some("true"), "{path}");
            let inside = received.header("x-mounted").is_some();
            assert_eq!(inside, is_inside_seen, "{path}");
        }
    }
}

/// A 405 of the router, which is adopted, as a text.
#[tokio::test]
async fn test_app_mount() {
    let app = Router::new().route("/static/example.txt", get(async || "<file content>"));
    let layer = ExceptionLayer::new().adopt_error_responses().on(plain_text);
    let server = Server::start_axum(app.layer(layer)).await;
    let received = server
        .send(request(Method::POST, "/static/example.txt"))
        .await;
    let text = "405 | allow: GET,HEAD | content-length: 18 | content-type: text/plain; charset=utf-8 | Method Not Allowed";
    assert_eq!(received.to_string(), text);
}
