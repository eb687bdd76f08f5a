//! A function of AWS Lambda: `lambda [bare|plain|configured|silent] [streaming]`.

use std::io;

use axum::{Router, body::Body, response::Response, routing::get};
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use lambda_http::{Error, run, run_with_streaming_response};
use tower::util::MapResponseLayer;
use tower_exception::{Caught, ExceptionLayer, HttpException, Panic, Result, http::StatusCode};

fn not_found() -> HttpException {
    HttpException::not_found("Item not found")
}

async fn item() -> &'static str {
    "plumbus"
}

async fn returns() -> Result<()> {
    Err(not_found())?
}

async fn raises() {
    not_found().raise()
}

async fn raises_async() {
    tokio::task::yield_now().await;
    not_found().raise_async().await
}

async fn panics() {
    panic!("the password is hunter2")
}

/// Responds with one chunk, and fails in place of the next.
async fn cut() -> Body {
    Body::from_stream(stream::iter([0, 1]).then(async |chunk| {
        tokio::task::yield_now().await;
        match chunk {
            0 => Ok("plum"),
            _ => Err(io::Error::other("the password is hunter2")),
        }
    }))
}

fn routes() -> Router {
    Router::new()
        .route("/item", get(item))
        .route("/returns", get(returns))
        .route("/raises", get(raises))
        .route("/raises_async", get(raises_async))
        .route("/panics", get(panics))
        .route("/cut", get(cut))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let app = match arguments.next().as_deref() {
        Some("plain") => routes().layer(ExceptionLayer::new()),
        Some("configured") => routes().layer(
            ExceptionLayer::new()
                .on_status(StatusCode::NOT_FOUND, |caught: Caught<HttpException>| {
                    let path = caught.request().uri().path().to_owned();
                    HttpException::new(StatusCode::GONE).with_detail(path)
                })
                .on_panic(|_: Caught<Panic>| HttpException::service_unavailable("we are on it")),
        ),
        Some("silent") => routes().layer(ExceptionLayer::new()).layer(
            // lambda_http sends the text of a body's error.
            MapResponseLayer::new(|response: Response| {
                response.map(|body| Body::new(body.map_err(|_| "the body failed")))
            }),
        ),
        _ => routes(),
    };
    match arguments.next() {
        Some(_) => run_with_streaming_response(app).await,
        None => run(app).await,
    }
}
