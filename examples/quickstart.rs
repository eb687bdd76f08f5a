//! The README's first example, and more failures. Every URL has a response in JSON.
//!
//! ```sh
//! cargo run --example quickstart --features axum
//! ```

use std::{io, net::Ipv4Addr};

use axum::{Json, Router, extract::Path, routing::get};
use http::{HeaderValue, header::RETRY_AFTER};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_exception::{ExceptionLayer, HttpException, Result};

/// Returns an exception. This is the cheapest way, and possible if a `Result` leads out.
async fn item(Path(id): Path<u32>) -> Result<Json<Value>> {
    match id {
        1 => Ok(Json(json!({ "id": 1, "name": "plumbus" }))),
        _ => Err(HttpException::not_found("Item not found"))?,
    }
}

/// Returns an exception with a header.
async fn order(Path(id): Path<u32>) -> Result<Json<Value>> {
    Err(
        HttpException::too_many_requests(format!("order {id} must wait"))
            .with_header(RETRY_AFTER, HeaderValue::from_static("120")),
    )?
}

/// Returns any error by `?`. The client receives a 500 without the error's text.
async fn prices() -> Result<String> {
    Ok(tokio::fs::read_to_string("no-such-folder/prices.txt").await?)
}

/// Calls functions that raise three calls deep. They return no `Result` and know nothing of HTTP
/// handlers.
async fn report(Path(year): Path<i32>) -> Json<Value> {
    Json(json!({ "year": year, "total": total(year) }))
}

fn total(year: i32) -> u32 {
    (1..=12).map(|month| monthly(year, month)).sum()
}

fn monthly(year: i32, month: u32) -> u32 {
    days(year) / month
}

fn days(year: i32) -> u32 {
    match year {
        2000.. => 365,
        _ => HttpException::bad_request("there are no books from before 2000").raise(),
    }
}

/// Panics. The client receives a 500 without the panic's message.
async fn bug() -> &'static str {
    panic!("the password is swordfish")
}

pub fn app() -> Router {
    Router::new()
        .route("/items/{id}", get(item))
        .route("/orders/{id}", get(order))
        .route("/prices", get(prices))
        .route("/reports/{year}", get(report))
        .route("/bug", get(bug))
        // Makes exceptions of axum's own errors: an unknown route, a wrong method, `/items/x`.
        .layer(ExceptionLayer::new().adopt_error_responses())
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
        "items/x",
        "orders/7",
        "prices",
        "reports/1999",
        "bug",
        "nowhere",
    ] {
        println!("  curl -i {address}/{path}");
    }
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
