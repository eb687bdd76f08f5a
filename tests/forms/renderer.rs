//! A renderer's headers, and the failure that it receives.

use axum::{
    Router,
    routing::{get, post},
};
use http::{
    Method,
    header::{CONTENT_LANGUAGE, HeaderName, HeaderValue, VARY},
};
use tower_exception::{
    Caught, ExceptionLayer, HttpException,
    config::Configured,
    render::{Json, Render, Rendered},
};

use crate::support::{PROTOCOLS, SECRET_TEXT, SecretError, Server};

fn header(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

fn value(value: &'static str) -> HeaderValue {
    HeaderValue::from_static(value)
}

/// Renders as JSON, with headers.
fn with_headers(exception: &HttpException, caught: &Caught) -> Rendered {
    Json.render(exception, caught)
        .with_header(VARY, value("accept"))
        .with_header(CONTENT_LANGUAGE, value("en"))
        .with_header(VARY, value("accept-language"))
}

async fn not_found() -> Result<(), HttpException> {
    Err(HttpException::not_found("gone").with_header(VARY, value("cookie")))
}

#[tokio::test]
async fn headers_of_a_renderer_are_appended_also_for_head() {
    let layer = ExceptionLayer::new().with_renderer(with_headers);
    let server = Server::start(Router::new().route("/", get(not_found)).layer(layer)).await;
    let head = "404 | content-language: en | content-length: 17 | content-type: application/json \
                | vary: cookie | vary: accept | vary: accept-language";
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        let body = r#"{"detail":"gone"}"#;
        assert_eq!(client.get("/").await, format!("{head} | {body}"));
        assert_eq!(client.ask(Method::HEAD, "/").await, head);
    }
}

#[tokio::test]
async fn a_renderer_cannot_set_the_headers_of_the_server() {
    let layer = ExceptionLayer::new().with_renderer(|_: &HttpException, _: &Caught| {
        Rendered::new(value("text/x"), "five!")
            .with_header(header("content-length"), value("3"))
            .with_header(header("transfer-encoding"), value("chunked"))
            .with_header(header("keep-alive"), value("timeout=5"))
            .with_header(header("trailer"), value("x-sum"))
            .with_header(header("x-sum"), value("1"))
            .with_header(header("content-type"), value("text/y"))
    });
    let server = Server::start(Router::new().route("/", get(not_found)).layer(layer)).await;
    for protocol in PROTOCOLS {
        assert_eq!(
            server.connect(protocol).await.get("/").await,
            "404 | content-length: 5 | content-type: text/y | vary: cookie | x-sum: 1 | five!"
        );
    }
}

#[tokio::test]
async fn a_rendering_in_place_of_another_repeats_no_header() {
    let layer = || ExceptionLayer::new().with_renderer(with_headers);
    let app = Router::new().route("/", get(not_found));
    let server = Server::start(app.layer(layer()).layer(layer())).await;
    let received = server.get("/").await;
    let vary: Vec<_> = received.headers.get_all(VARY).iter().collect();
    assert_eq!(vary, ["cookie", "accept", "accept-language"]);
    assert_eq!(received.headers.get_all(CONTENT_LANGUAGE).iter().count(), 1);
}

#[tokio::test]
async fn a_response_without_a_body_has_no_header_of_a_renderer() {
    let layer = ExceptionLayer::new().with_renderer(with_headers);
    let moved = || async { HttpException::new(http::StatusCode::NOT_MODIFIED) };
    let server = Server::start(Router::new().route("/", get(moved)).layer(layer)).await;
    assert_eq!(server.get("/").await.to_string(), "304");
}

/// Renders the failure: whether it is a `SecretError`, its mechanism, the request's path.
fn shows_failure() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().with_renderer(|exception: &HttpException, caught: &Caught| {
        let is_secret = caught.outermost().is::<SecretError>();
        let path = caught.request().uri().path();
        let mechanism = caught.mechanism();
        let text = format!("{exception}; {is_secret} {mechanism:?} {path}");
        Rendered::new(value("text/plain"), text)
    })
}

async fn raised() {
    HttpException::gone("raised").raise()
}

async fn panics() {
    panic!("{SECRET_TEXT}")
}

fn failing_app() -> Router {
    let secret = || async { Err::<(), _>(tower_exception::Error::from(SecretError)) };
    Router::new()
        .route("/secret", get(secret))
        .route("/gone", get(|| async { HttpException::gone("attached") }))
        .route("/raised", get(raised))
        .route("/panics", get(panics))
        .route("/post", post(|| async {}))
}

#[tokio::test]
async fn a_renderer_sees_the_failure_for_which_the_exception_stands() {
    let server = Server::start(failing_app().layer(shows_failure().adopt_error_responses())).await;
    for (path, status, expected) in [
        (
            "/secret",
            500,
            "500: Internal Server Error; true Attached /secret",
        ),
        ("/gone", 410, "410: attached; false Attached /gone"),
        ("/raised", 410, "410: raised; false Raised /raised"),
        (
            "/panics",
            500,
            "500: Internal Server Error; false Panicked /panics",
        ),
        ("/post", 405, "405: Method Not Allowed; false Adopted /post"),
    ] {
        let received = server.get(path).await;
        assert_eq!(received.status, status, "{path}");
        assert_eq!(received.text(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_renderer_of_a_reply_sees_the_failure_that_was_handled() {
    let layer = shows_failure()
        .on(|_: Caught<SecretError>| HttpException::bad_gateway("mapped"))
        .on_panic(|_: Caught<tower_exception::Panic>| tower_exception::Error::from(SecretError));
    let server = Server::start(failing_app().layer(layer)).await;
    let text = async |path| server.get(path).await.text().to_owned();
    assert_eq!(text("/secret").await, "502: mapped; true Attached /secret");
    // The handler of the panic has failed itself: its own error is rendered.
    assert_eq!(
        text("/panics").await,
        "500: Internal Server Error; true Returned /panics"
    );
}
