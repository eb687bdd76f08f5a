//! FastAPI's tests over HTTP.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, rejection::PathRejection},
    response::Response,
    routing::{get, post, put},
};
use futures_util::StreamExt as _;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tower::ServiceBuilder;
use tower_exception::{Caught, ExceptionLayer, HttpException, config::Configured};

use super::{EXITS, RuntimeError, assert_got, failing, leave};
use crate::support::{Server, observed};

/// The handlers of `test_exception_handlers`: by a class, by a fault of the request, and by
/// `Exception`.
fn overriding() -> ExceptionLayer<Configured> {
    let exception = |name: &str| Json(json!({ "exception": name }));
    ExceptionLayer::new()
        .on(move |_: Caught<HttpException>| (StatusCode::OK, exception("http-exception")))
        .on(move |_: Caught<PathRejection>| (StatusCode::OK, exception("request-validation")))
        .on_any(move |_: Caught| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            (status, exception("server-error"))
        })
}

async fn serve_overriding() -> Server {
    let app = Router::new()
        .route(
            "/{exit}/http-exception",
            failing(|| HttpException::new(StatusCode::BAD_REQUEST)),
        )
        .route("/{exit}/server-error", failing(|| RuntimeError))
        .route(
            "/{exit}/request-validation/{param}/",
            get(
                async |Path((exit, _)): Path<(String, String)>,
                       param: Result<Path<(String, i64)>, PathRejection>| {
                    leave(&exit, param.expect_err("no number")).await
                },
            ),
        );
    Server::start_axum(app.layer(overriding())).await
}

#[tokio::test]
async fn test_override_http_exception() {
    let json = r#"200 | content-length: 30 | content-type: application/json | {"exception":"http-exception"}"#;
    assert_got(&serve_overriding().await, "/http-exception", json).await;
}

#[tokio::test]
async fn test_override_request_validation_exception() {
    let json = r#"200 | content-length: 34 | content-type: application/json | {"exception":"request-validation"}"#;
    let path = "/request-validation/invalid/";
    assert_got(&serve_overriding().await, path, json).await;
}

#[tokio::test]
async fn test_override_server_error_exception_response() {
    let json = r#"500 | content-length: 28 | content-type: application/json | {"exception":"server-error"}"#;
    assert_got(&serve_overriding().await, "/server-error", json).await;
}

/// An error has the place of the `?` that returned it, not a place in the framework.
#[tokio::test]
async fn test_traceback_for_dependency_with_yield() {
    async fn dependency() -> tower_exception::Result<()> {
        Err(RuntimeError)?
    }
    let places = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&places);
    let layer = ExceptionLayer::new().observe(move |caught: &Caught, _| {
        seen.lock()
            .unwrap()
            .push(caught.location().unwrap().file().to_owned());
    });
    let app = Router::new().route("/", get(async || dependency().await));
    let server = Server::start_axum(app.layer(layer)).await;
    server.get("/").await.assert_default_500();
    assert_eq!(*places.lock().unwrap(), [file!()]);
}

fn item_not_found() -> HttpException {
    HttpException::not_found("Item not found")
}

async fn serve_items() -> Server {
    let app = Router::new()
        .route(
            "/{exit}/items/bar",
            failing(|| {
                let exception = item_not_found();
                exception
                    .try_with_header("x-error", "Some custom header")
                    .unwrap()
            }),
        )
        .route("/{exit}/starlette-items/bar", failing(item_not_found))
        .route(
            "/{exit}/items/foo",
            get(async || Json(json!({ "item": "The Foo Wrestlers" }))),
        )
        .route(
            "/{exit}/no-body",
            failing(|| HttpException::new(StatusCode::NO_CONTENT)),
        )
        .route(
            "/{exit}/no-body-with-detail",
            failing(|| {
                let exception = HttpException::new(StatusCode::NO_CONTENT);
                exception.with_detail("I should just disappear!")
            }),
        );
    Server::start_axum(app.layer(ExceptionLayer::new())).await
}

#[tokio::test]
async fn test_get_item() {
    let json = r#"200 | content-length: 28 | content-type: application/json | {"item":"The Foo Wrestlers"}"#;
    assert_got(&serve_items().await, "/items/foo", json).await;
}

#[tokio::test]
async fn test_get_item_not_found() {
    let json = r#"404 | content-length: 27 | content-type: application/json | x-error: Some custom header | {"detail":"Item not found"}"#;
    assert_got(&serve_items().await, "/items/bar", json).await;
}

#[tokio::test]
async fn test_get_starlette_item_not_found() {
    let json = r#"404 | content-length: 27 | content-type: application/json | {"detail":"Item not found"}"#;
    assert_got(&serve_items().await, "/starlette-items/bar", json).await;
}

#[tokio::test]
async fn test_no_body_status_code_exception_handlers() {
    assert_got(&serve_items().await, "/no-body", "204").await;
}

#[tokio::test]
async fn test_no_body_status_code_with_detail_exception_handlers() {
    assert_got(&serve_items().await, "/no-body-with-detail", "204").await;
}

/// Longest body that the middleware of the next test lets through.
const LIMIT_BYTES: usize = 256;

/// Makes a body that raises as soon as it has had too many bytes.
fn limited(body: Body) -> Body {
    let mut received = 0;
    Body::from_stream(body.into_data_stream().map(move |bytes| {
        received += bytes.as_ref().map_or(0, |bytes| bytes.len());
        if received > LIMIT_BYTES {
            let detail = json!({
                "name": "ContentSizeLimitExceeded",
                "code": 999,
                "message": "File limit exceeded",
            });
            HttpException::unprocessable_entity(detail).raise();
        }
        bytes
    }))
}

/// A middleware wraps the body of the request, and the wrapper raises while an extractor reads it.
#[tokio::test]
async fn test_custom_middleware_exception() {
    let app = Router::new().route("/", post(async |_: String| "OK"));
    let layers = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .map_request(|request: Request<Body>| request.map(limited));
    let server = Server::start_axum(app.layer(layers)).await;
    let send = async |bytes: usize| {
        let body = Full::from("x".repeat(bytes));
        server.send(Request::post("/").body(body).unwrap()).await
    };
    let received = send(65_537).await;
    assert_eq!(received.status, StatusCode::UNPROCESSABLE_ENTITY);
    let detail: serde_json::Value = serde_json::from_str(received.text()).unwrap();
    let expected = json!({
        "detail": {
            "name": "ContentSizeLimitExceeded",
            "code": 999,
            "message": "File limit exceeded",
        }
    });
    assert_eq!(detail, expected);
    // `test_custom_middleware_exception_not_raised`.
    let received = send(LIMIT_BYTES).await;
    assert_eq!((received.status, received.text()), (StatusCode::OK, "OK"));
    assert_eq!(server.panics(), 0);
}

/// A transaction: it is rolled back if it is dropped before it is committed.
struct Transaction {
    ended: Arc<AtomicBool>,
    committed: Arc<AtomicBool>,
    is_done: bool,
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.committed.store(self.is_done, SeqCst);
        self.ended.store(true, SeqCst);
    }
}

/// A guard's `Drop` does the work of FastAPI's `except` and `finally`, before the response is sent.
#[tokio::test]
async fn test_dependency_gets_exception() {
    let ended = Arc::new(AtomicBool::new(false));
    let committed = Arc::new(AtomicBool::new(false));
    let transaction = {
        let (ended, committed) = (Arc::clone(&ended), Arc::clone(&committed));
        move || Transaction {
            ended: Arc::clone(&ended),
            committed: Arc::clone(&committed),
            is_done: false,
        }
    };
    let begin = transaction.clone();
    let invalid = put(
        async move |Path(exit): Path<String>| -> tower_exception::Result<Response> {
            let mut transaction = begin();
            let response = leave(&exit, HttpException::bad_request("Invalid user")).await?;
            transaction.is_done = true;
            Ok(response)
        },
    );
    let valid = put(async move || {
        transaction().is_done = true;
        Json(json!({ "message": "OK" }))
    });
    let app = Router::new()
        .route("/{exit}/invalid-user", invalid)
        .route("/user", valid);
    let (layer, mut reports) = observed(ExceptionLayer::new());
    let server = Server::start_axum(app.layer(layer)).await;
    let put = async |path: &str| {
        server
            .send(Request::put(path).body(Full::default()).unwrap())
            .await
    };
    for exit in EXITS {
        ended.store(false, SeqCst);
        let received = put(&format!("/{exit}/invalid-user")).await;
        received.assert_detail(400, "Invalid user");
        assert!(ended.load(SeqCst), "{exit}");
        assert!(!committed.load(SeqCst), "{exit}");
        reports.next().await;
    }
    // `test_dependency_no_exception`.
    ended.store(false, SeqCst);
    assert_eq!(put("/user").await.text(), r#"{"message":"OK"}"#);
    assert!(ended.load(SeqCst) && committed.load(SeqCst));
    reports.assert_none();
}
