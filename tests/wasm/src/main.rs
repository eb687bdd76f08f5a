//! Requests to an axum router below the layer, in a WebAssembly module. A failed check is a trap.

use std::{
    io,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::{Router, body::Body, extract::Path, routing::get};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use tower_exception::{Caught, ExceptionLayer, HttpException, Result, catch, prelude::*};

async fn item(Path(id): Path<u32>) -> Result<&'static str> {
    let item = ["plumbus"].get(id as usize).copied();
    Ok(item.or_not_found("Item not found")?)
}

async fn attached() -> HttpException {
    HttpException::not_found("Item not found")
}

async fn error() -> Result<()> {
    Err(io::Error::other("the password is hunter2"))?
}

async fn raises_async() {
    pending_once().await;
    HttpException::gone("sold out").raise_async().await
}

async fn catches() -> String {
    let caught = catch(async {
        pending_once().await;
        HttpException::gone("sold out").raise_async::<()>().await;
    });
    caught.await.unwrap_err().to_string()
}

/// Is not ready at the first poll.
async fn pending_once() {
    let mut is_ready = false;
    std::future::poll_fn(|cx| {
        if is_ready {
            return Poll::Ready(());
        }
        is_ready = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

fn routes() -> Router {
    Router::new()
        .route("/items/{id}", get(item))
        .route("/attached", get(attached))
        .route("/error", get(error))
        .route("/raises_async", get(raises_async))
        .route("/catches", get(catches))
}

/// Polls until the future is ready: nothing here waits for anything outside of the module.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

fn get_from(app: &Router, path: &str) -> (u16, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    block_on(async {
        let response = app.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (
            head.status.as_u16(),
            String::from_utf8(body.into()).unwrap(),
        )
    })
}

fn check(app: &Router, path: &str, status: u16, body: &str) {
    assert_eq!(get_from(app, path), (status, body.to_owned()), "{path}");
}

fn main() {
    tracing_subscriber::fmt()
        .without_time()
        .with_writer(io::sink)
        .init();

    let plain = routes().layer(ExceptionLayer::new());
    check(&plain, "/items/0", 200, "plumbus");
    check(&plain, "/items/1", 404, r#"{"detail":"Item not found"}"#);
    check(&plain, "/attached", 404, r#"{"detail":"Item not found"}"#);
    check(
        &plain,
        "/error",
        500,
        r#"{"detail":"Internal Server Error"}"#,
    );
    check(&plain, "/raises_async", 410, r#"{"detail":"sold out"}"#);
    check(&plain, "/catches", 200, "410: sold out");

    // Adopting has a time limit, and the log a limit for a span of time. There is no clock here.
    let configured = routes().layer(
        ExceptionLayer::new()
            .adopt_error_responses()
            .on_status(StatusCode::GONE, async |_: Caught<HttpException>| {
                pending_once().await;
                HttpException::not_found("it was here")
            })
            .on(|_: Caught<io::Error>| HttpException::service_unavailable("the shop is closed"))
            .log_at_most(1, Duration::from_secs(60)),
    );
    check(&configured, "/items/0", 200, "plumbus");
    check(&configured, "/nowhere", 404, r#"{"detail":"Not Found"}"#);
    check(
        &configured,
        "/raises_async",
        404,
        r#"{"detail":"it was here"}"#,
    );
    check(
        &configured,
        "/error",
        503,
        r#"{"detail":"the shop is closed"}"#,
    );
    check(
        &configured,
        "/error",
        503,
        r#"{"detail":"the shop is closed"}"#,
    );
}
