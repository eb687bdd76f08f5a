//! The README's first example, and three more ways to raise.
//!
//! ```sh
//! cargo run --example quickstart --features axum
//! ```

use std::{io, net::Ipv4Addr};

use axum::{Json, Router, extract::Path, routing::get};
use http::{HeaderValue, header::RETRY_AFTER};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_exception::{ExceptionLayer, HttpException};

/// Returned: where a `Result` leads out, that is the way.
async fn item(Path(id): Path<u32>) -> Result<Json<Value>, HttpException> {
    match id {
        1 => Ok(Json(json!({ "id": 1, "name": "plumbus" }))),
        _ => Err(HttpException::not_found("Item not found")),
    }
}

/// With a header of its own.
async fn order(Path(id): Path<u32>) -> Result<Json<Value>, HttpException> {
    Err(
        HttpException::too_many_requests(format!("order {id} must wait"))
            .with_header(RETRY_AFTER, HeaderValue::from_static("120")),
    )
}

/// Raised three calls down, in plain functions that know nothing of HTTP handlers or of `Result`.
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

/// A bug: the client learns that something went wrong, and nothing of what.
async fn bug() -> &'static str {
    panic!("the password is swordfish")
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = Router::new()
        .route("/items/{id}", get(item))
        .route("/orders/{id}", get(order))
        .route("/reports/{year}", get(report))
        .route("/bug", get(bug))
        .layer(ExceptionLayer::new());

    let listener = listen(3000).await?;
    let address = format!("http://{}", listener.local_addr()?);
    println!("{address}");
    println!("Try:");
    for path in ["items/1", "items/2", "orders/7", "reports/1999", "bug"] {
        println!("  curl -i {address}/{path}");
    }
    axum::serve(listener, app).await
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
