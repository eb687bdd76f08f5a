//! Handlers of every kind in one small app: the user decides on the response to each failure.
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
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Outcome, Panic, Reply, Result, prelude::*,
};

/// Error of the app, which knows nothing of HTTP.
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

/// Error with a `UnicornError` as its source: the handler for `UnicornError` answers it too.
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

/// Handles a type, which the layer reads off the argument. Replies an exception, which the layer
/// renders.
fn unicorn(error: Caught<UnicornError>) -> HttpException {
    HttpException::new(StatusCode::IM_A_TEAPOT).with_detail(format!(
        "Oops! {} did something. There goes a rainbow...",
        error.name
    ))
}

/// Handles some errors of a type, and declines the others: the next handler is asked.
fn disk(error: Caught<io::Error>) -> Reply {
    match error.kind() {
        io::ErrorKind::NotFound => HttpException::service_unavailable("there are no prices").into(),
        _ => Reply::decline(),
    }
}

/// Handles a status. Replies anything that is `IntoResponse`.
async fn not_found(exception: Caught<HttpException>) -> impl IntoResponse {
    let path = exception.request().uri().path();
    let page = format!("<h1>There is no {path}</h1><p>{}", *exception);
    (StatusCode::NOT_FOUND, Html(page))
}

/// Handles panics. The message goes to the log, and the client receives a case number.
fn panicked(panic: Caught<Panic>) -> HttpException {
    let number = 42;
    eprintln!("case {number}: {}: {}", panic.request().uri(), *panic);
    HttpException::internal_server_error(json!({ "case": number }))
}

/// Handles a type, and is async. Every other exception keeps its status and headers, and has the
/// app's own JSON as its body.
async fn exception(exception: Caught<HttpException>) -> impl IntoResponse {
    let body = json!({ "error": { "message": exception.to_string() } });
    (exception.status(), exception.headers().clone(), Json(body))
}

/// Handles every failure that no other handler matches.
fn anything(_: Caught) -> impl IntoResponse {
    let body = json!({ "error": { "message": "it broke" } });
    (StatusCode::INTERNAL_SERVER_ERROR, Json(body))
}

/// Observes every failure, after the response has been decided.
fn log(caught: &Caught, outcome: Outcome) {
    let (mechanism, phase) = (caught.mechanism(), caught.phase());
    eprintln!(
        "{} {caught} ({mechanism:?}, {phase:?}) -> {outcome:?}",
        caught.request().uri()
    );
}

// The app.

async fn item(Path(id): Path<u32>) -> Result<Json<u32>> {
    match id {
        1 => Ok(Json(id)),
        2 => bail!(gone, "sold out"),
        _ => bail!(not_found, "no such item"),
    }
}

async fn stable() -> Result<String> {
    let name = "yolo".to_owned();
    Err(StableError(UnicornError { name }))?
}

/// Raises a `UnicornError` from a function that returns no `Result`.
async fn unicorns(Path(name): Path<String>) -> String {
    stroke(name)
}

fn stroke(name: String) -> String {
    match &*name {
        "yolo" => UnicornError { name }.raise(),
        _ => format!("{name} likes that"),
    }
}

/// Returns an `io::Error` to which the handler replies.
async fn prices() -> Result<String> {
    Ok(tokio::fs::read_to_string("no-such-folder/prices.txt").await?)
}

/// Returns an `io::Error` to which the handler declines to reply.
async fn error() -> Result<()> {
    Err(io::Error::other("disk full"))?
}

async fn bug() -> &'static str {
    panic!("the password is swordfish")
}

fn app() -> Router {
    Router::new()
        .route("/items/{id}", get(item))
        .route("/unicorns/{name}", get(unicorns))
        .route("/stable", get(stable))
        .route("/prices", get(prices))
        .route("/error", get(error))
        .route("/bug", get(bug))
        .layer(
            ExceptionLayer::new()
                // Turns axum's own 404, 405 and rejections into exceptions.
                .adopt_error_responses()
                .on(unicorn)
                .on(disk)
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
        "items/1",
        "items/2",
        "items/3",
        "items/x",
        "nowhere",
        "unicorns/yolo",
        "stable",
        "prices",
        "error",
        "bug",
    ] {
        println!("  curl -i {address}/{path}");
    }
    println!("  curl -i -X DELETE {address}/items/1");
    axum::serve(listener, app()).await
}

/// Listens on `port`, or on the next free one.
async fn listen(mut port: u16) -> io::Result<TcpListener> {
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && port < u16::MAX => port += 1,
            result => return result,
        }
    }
}
