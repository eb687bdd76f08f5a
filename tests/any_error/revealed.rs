//! Errors that only stand for another one.

use bytes::Bytes;
use http::Request;
use http::Response;
use http_body_util::Full;
use hyper::body::Incoming;
use tonic::Status;
use tower::{Layer, service_fn};
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, catch_sync, config::Configured, prelude::*,
};

use crate::{
    shop::{AppError, ShopError, disk, elapsed, shop, sold_out, taken},
    support::Server,
};

type Make = fn() -> Error;

const GONE: &str = "410 no plumbus left";
const DISK: &str = "502 NotFound";
const TAKEN: &str = "409 taken";
const UNKNOWN: &str = "500 Internal Server Error";

/// Each error, its response with `reveal`, and the one without.
#[rustfmt::skip]
const ROWS: &[(&str, Make, &str, &str)] = &[
    ("an error", || AppError::Io(disk()).into(), DISK, UNKNOWN),
    ("an own error", || AppError::Shop(sold_out()).into(), GONE, UNKNOWN),
    // The source of a transparent error is that of the held one, which a handler may find.
    ("a source", || AppError::Shop(ShopError::Disk(disk())).into(), DISK, DISK),
    ("a declined one", || AppError::Shop(ShopError::OnFire).into(), UNKNOWN, UNKNOWN),
    ("nested", || nested(AppError::Shop(sold_out())).into(), GONE, UNKNOWN),
    // An exception is found even then.
    ("an exception", || AppError::Http(taken()).into(), TAKEN, TAKEN),
    ("a nested exception", || nested(AppError::Http(taken())).into(), TAKEN, TAKEN),
    ("a timeout", || AppError::Late(elapsed()).into(), "504 Gateway Timeout", UNKNOWN),
    // It is a source of the error, and so was not made for the client.
    ("a status", || AppError::Grpc(Status::not_found("no row")).into(), "404 Not Found", UNKNOWN),
    ("a report", || AppError::Report(anyhow::Error::new(sold_out())).into(), GONE, UNKNOWN),
    ("in a box", || Box::new(AppError::Io(disk())).into(), DISK, UNKNOWN),
    ("in anyhow", || report(AppError::Io(disk())).context("a").into(), DISK, UNKNOWN),
    ("below an exception", || report(AppError::Io(disk())).context(taken()).into(), TAKEN, TAKEN),
    ("below an error", || report(AppError::Io(disk())).context(sold_out()).into(), GONE, GONE),
    ("raised", raised, DISK, UNKNOWN),
];

fn report(error: AppError) -> anyhow::Error {
    anyhow::Error::new(error)
}

fn raised() -> Error {
    catch_sync(|| -> () { AppError::Io(disk()).raise() }).unwrap_err()
}

fn nested(error: AppError) -> AppError {
    AppError::Nested(Box::new(AppError::Nested(Box::new(error))))
}

fn revealing(layer: ExceptionLayer<Configured>) -> ExceptionLayer<Configured> {
    layer.reveal(|error: &AppError| Some(error.held()))
}

async fn serve(layer: ExceptionLayer<Configured>) -> Server {
    let service = service_fn(async |request: Request<Incoming>| {
        let number: usize = request.uri().path()[1..].parse().unwrap();
        Err::<Response<Full<Bytes>>, _>((ROWS[number].1)())
    });
    Server::start(layer.layer(service)).await
}

async fn get(server: &Server, path: &str) -> String {
    let received = server.get(path).await;
    let body: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
    format!(
        "{} {}",
        received.status.as_u16(),
        body["detail"].as_str().unwrap()
    )
}

// E2
#[tokio::test]
async fn reveal_opens_an_error_that_hides_another_one() {
    let (with, without) = (serve(revealing(shop())).await, serve(shop()).await);
    let mut differences = Vec::new();
    for (number, (name, _, revealed, hidden)) in ROWS.iter().enumerate() {
        let path = format!("/{number}");
        for (server, expected) in [(&with, revealed), (&without, hidden)] {
            let got = get(server, &path).await;
            if got != *expected {
                differences.push(format!("{name}: {got}, not {expected}"));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

// E2
#[tokio::test]
async fn an_exception_that_is_revealed_has_handlers() {
    let layer = revealing(
        ExceptionLayer::new().on_status(http::StatusCode::CONFLICT, |_: Caught<HttpException>| {
            HttpException::gone("handled")
        }),
    );
    let server = serve(layer).await;
    for (number, (name, _, revealed, _)) in ROWS.iter().enumerate() {
        if *revealed == TAKEN {
            assert_eq!(
                get(&server, &format!("/{number}")).await,
                "410 handled",
                "{name}"
            );
        }
    }
}

// E2
#[tokio::test]
async fn reveal_that_declines_leaves_the_sources() {
    let layer = shop()
        .reveal(|_: &ShopError| None)
        .reveal(|error: &AppError| match error {
            AppError::Io(error) => Some(error),
            _ => None,
        });
    let server = serve(layer).await;
    assert_eq!(get(&server, "/0").await, DISK);
    assert_eq!(get(&server, "/1").await, UNKNOWN);
    assert_eq!(get(&server, "/2").await, DISK);
}

// E2
#[tokio::test]
async fn reveal_that_panics_or_goes_in_circles_is_contained() {
    fn itself(error: &AppError) -> Option<&(dyn std::error::Error + 'static)> {
        Some(error)
    }
    let layers = [
        shop().reveal(itself),
        shop().reveal(|_: &AppError| panic!("{}", crate::support::SECRET_TEXT)),
    ];
    for layer in layers {
        let server = serve(layer).await;
        assert_eq!(get(&server, "/0").await, UNKNOWN);
        assert_eq!(server.panics(), 0);
    }
}
