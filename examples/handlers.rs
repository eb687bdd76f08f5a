//! The user decides what each error looks like: handlers of every kind in one small app.
//!
//! ```sh
//! cargo run --example handlers --features axum
//! ```

use std::{error::Error, fmt, io, net::Ipv4Addr};

use axum::{
    Json, Router,
    extract::Path,
    response::{Html, IntoResponse},
    routing::get,
};
use http::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;
use tower::{BoxError, service_fn};
use tower_exception::{Answer, Caught, ExceptionLayer, HttpException, Panic};

/// An error of the app's own, which knows nothing of HTTP.
#[derive(Debug)]
struct UnicornError {
    name: String,
}

impl fmt::Display for UnicornError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} did something", self.name)
    }
}

impl Error for UnicornError {}

/// One that wraps it: the handler for `UnicornError` is found all the same.
#[derive(Debug)]
struct StableError(UnicornError);

impl fmt::Display for StableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something happened in the stable")
    }
}

impl Error for StableError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

// The handlers.

/// For a type: it is read off the argument. The reply is an exception, which the layer renders.
fn unicorn(error: Caught<UnicornError>) -> HttpException {
    HttpException::new(StatusCode::IM_A_TEAPOT).with_detail(format!(
        "Oops! {} did something. There goes a rainbow...",
        error.name
    ))
}

/// For a status. The reply is anything that axum can make a response of.
async fn not_found(exception: Caught<HttpException>) -> impl IntoResponse {
    let path = exception.request().uri().path();
    let page = format!("<h1>There is no {path}</h1><p>{}", *exception);
    (StatusCode::NOT_FOUND, Html(page))
}

/// For panics. The message is for us, not for the client.
fn panicked(panic: Caught<Panic>) -> HttpException {
    let number = 42;
    eprintln!("case {number}: {}: {}", panic.request().uri(), *panic);
    HttpException::internal_server_error(json!({ "case": number }))
}

/// For a type again, and async. Any other exception keeps its status and headers, and gets the app's own form.
async fn exception(exception: Caught<HttpException>) -> impl IntoResponse {
    let body = json!({ "error": { "message": exception.to_string() } });
    (exception.status(), exception.headers().clone(), Json(body))
}

/// For whatever has no other handler.
fn anything(_: Caught) -> impl IntoResponse {
    let body = json!({ "error": { "message": "it broke" } });
    (StatusCode::INTERNAL_SERVER_ERROR, Json(body))
}

/// Told of all of it.
fn log(caught: &Caught, answer: Answer) {
    let (how, place, request) = (caught.how(), caught.place(), caught.request());
    eprintln!(
        "{} {caught} ({how:?}, {place:?}) -> {answer:?}",
        request.uri()
    );
}

// The app.

async fn item(Path(id): Path<u32>) -> Result<Json<u32>, HttpException> {
    match id {
        1 => Ok(Json(id)),
        2 => Err(HttpException::gone("sold out")),
        _ => Err(HttpException::not_found("no such item")),
    }
}

/// Services that fail have a layer of their own inside a `Router`. Its answers are provisional: the handlers of the
/// outer layer have the last word.
fn failing(error: fn() -> BoxError) -> axum::routing::MethodRouter {
    let service = service_fn(move |_: axum::extract::Request| async move {
        Err::<axum::response::Response, _>(error())
    });
    axum::routing::get_service(service).layer(ExceptionLayer::new())
}

async fn bug() -> &'static str {
    panic!("the password is swordfish")
}

fn app() -> Router {
    Router::new()
        .route("/items/{id}", get(item))
        .route(
            "/stable",
            failing(|| {
                let name = "yolo".to_owned();
                StableError(UnicornError { name }).into()
            }),
        )
        .route("/error", failing(|| io::Error::other("disk full").into()))
        .route("/bug", get(bug))
        .layer(
            ExceptionLayer::new()
                // axum's own 404, 405 and rejections are exceptions too.
                .adopt_error_responses()
                .on(unicorn)
                .on_status(StatusCode::NOT_FOUND, not_found)
                .on(exception)
                .on_panic(panicked)
                .on_any(anything)
                .observe(log),
        )
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = listen(3000).await?;
    let address = format!("http://{}", listener.local_addr()?);
    println!("{address}");
    println!("Try:");
    for path in [
        "items/1", "items/2", "items/3", "items/x", "nowhere", "stable", "error", "bug",
    ] {
        println!("  curl -i {address}/{path}");
    }
    println!("  curl -i -X DELETE {address}/items/1");
    axum::serve(listener, app()).await
}

/// Listens on `port`, or on the next one that is free.
async fn listen(mut port: u16) -> io::Result<TcpListener> {
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && port < u16::MAX => port += 1,
            result => return result,
        }
    }
}
