//! The log of an error: its type, its sources, and the line of the `?`.

use std::{any::type_name, io, sync::Arc};

use axum::{Router, extract::Path, routing::get};
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, Outcome, Raise, Result, bail, ensure, prelude::*,
};
use tracing::Level;

use crate::{
    shop::{OrderError, ShopError, disk, elapsed, shop, sold_out},
    support::{SECRET_TEXT, Server, log::Log},
};

/// The line of each failure, its type and its text with its sources.
struct Place {
    case: &'static str,
    line: u32,
    error_type: Option<&'static str>,
    error: String,
}

fn place(case: &'static str, line: u32, error_type: Option<&'static str>, error: &str) -> Place {
    let error = error.to_owned();
    Place {
        case,
        line,
        error_type,
        error,
    }
}

const FIRST: u32 = line!() + 6;

/// Fails in the line of each case.
#[rustfmt::skip]
async fn fail(case: &str) -> Result<()> {
    match case {
        "io" => Err(disk())?,
        "own" => return Err(sold_out().into()),
        "source" => Err(ShopError::Disk(disk()))?,
        "anyhow" => Err(anyhow::Error::new(sold_out()).context("the order"))?,
        "box" => Err(Box::new(sold_out()))?,
        "arc" => Err(Arc::new(sold_out()))?,
        "boxed" => Err(Box::<dyn std::error::Error + Send + Sync>::from(disk()))?,
        "exception" => Err(HttpException::gone("sold out"))?,
        "or" => { Err::<(), _>(disk()).or_bad_gateway("no disk")?; }
        "option" => { None::<()>.or_not_found("no row")?; }
        "bail" => bail!(conflict, "taken"),
        "bail-error" => bail!(disk()),
        "ensure" => ensure!(case.is_empty(), forbidden, "not you"),
        "raised" => sold_out().raise(),
        "later" => sold_out().raise_async().await,
        "task" => { tokio::spawn(async { sold_out().raise() }).await? }
        "late" => Err(elapsed())?,
        "passed" => inner()?,
        "order" => Err(OrderError(anyhow::Error::new(disk())))?,
        _ => unreachable!(),
    }
    Ok(())
}

/// The place of an `Error` is the first one.
fn inner() -> Result<()> {
    Err(sold_out())?
}

fn places() -> Vec<Place> {
    let shop_error = type_name::<ShopError>();
    let io = type_name::<io::Error>();
    let http_exception = Some("tower_exception::HttpException");
    let gone = "plumbus is sold out";
    [
        ("io", Some(io), SECRET_TEXT),
        ("own", Some(shop_error), gone),
        (
            "source",
            Some(shop_error),
            &format!("the disk of the shop: {SECRET_TEXT}"),
        ),
        (
            "anyhow",
            Some(type_name::<anyhow::Error>()),
            &format!("the order: {gone}"),
        ),
        ("box", Some(type_name::<Box<ShopError>>()), gone),
        ("arc", Some(type_name::<Arc<ShopError>>()), gone),
        ("boxed", None, SECRET_TEXT),
        ("exception", http_exception, "410: sold out"),
        (
            "or",
            http_exception,
            &format!("502: no disk: {SECRET_TEXT}"),
        ),
        ("option", http_exception, "404: no row"),
        ("bail", http_exception, "409: taken"),
        ("bail-error", Some(io), SECRET_TEXT),
        ("ensure", http_exception, "403: not you"),
        ("raised", Some(shop_error), gone),
        ("later", Some(shop_error), gone),
        ("task", Some(shop_error), gone),
        (
            "late",
            Some(type_name::<tokio::time::error::Elapsed>()),
            "deadline has elapsed",
        ),
    ]
    .into_iter()
    .zip(FIRST..)
    .map(|((case, error_type, error), line)| place(case, line, error_type, error))
    .collect()
}

async fn fails(Path(case): Path<String>) -> Result<()> {
    fail(&case).await
}

#[tokio::test]
async fn the_log_has_type_sources_and_line_of_each_error_once() {
    let app = || Router::new().route("/{case}", get(fails));
    for (app, has_handlers) in [
        (app().layer(ExceptionLayer::new()), false),
        (app().layer(shop()), true),
        (app().layer(ExceptionLayer::new()).layer(shop()), true),
        (app().layer(shop().on_any(async |_: Caught| {})), true),
    ] {
        let server = Server::start_axum(app).await;
        for place in places() {
            let log = Log::start();
            let received = server.get(&format!("/{}", place.case)).await;
            let event = log.only_event();
            let case = place.case;
            let location = event.get("tower_exception.location").unwrap();
            let expected = format!("{}:{}:", file!(), place.line);
            assert!(
                location.starts_with(&expected),
                "{case}: {location}, not {expected}"
            );
            // A layer finds the type in the box if it has a handler for it.
            let exception_type = match case {
                "boxed" if has_handlers => Some(type_name::<io::Error>()),
                _ => place.error_type,
            };
            assert_eq!(event.get("exception.type"), exception_type, "{case}");
            assert_eq!(
                event.get("exception.message"),
                Some(&*place.error),
                "{case}"
            );
            let level = match received.status.is_server_error() {
                true => Level::ERROR,
                false => Level::DEBUG,
            };
            assert_eq!(event.level, level, "{case}");
            let status = received.status.as_str();
            assert_eq!(
                event.get("http.response.status_code"),
                Some(status),
                "{case}"
            );
        }
    }
}

#[tokio::test]
async fn the_line_is_that_of_the_first_conversion() {
    let server = Server::start_axum(
        Router::new()
            .route("/{case}", get(fails))
            .layer(ExceptionLayer::new()),
    );
    let server = server.await;
    let log = Log::start();
    server.get("/passed").await.assert_default_500();
    let event = log.only_event();
    // `inner` has its `?` two lines below its `fn`, after `fail` and a comment.
    let location = event.get("tower_exception.location").unwrap();
    let lines: Vec<&str> = include_str!("logged.rs").lines().collect();
    let line = lines
        .iter()
        .position(|line| *line == "fn inner() -> Result<()> {")
        .unwrap()
        + 2;
    assert!(
        location.starts_with(&format!("{}:{line}:", file!())),
        "{location}"
    );
}

#[tokio::test]
async fn an_observer_sees_the_line() {
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let layer = shop().observe(move |caught: &Caught, _: Outcome| {
        let location = caught.location().unwrap();
        sender.send((location.file(), location.line())).unwrap();
    });
    let app = Router::new().route("/{case}", get(fails)).layer(layer);
    let server = Server::start_axum(app).await;
    for place in places() {
        server.get(&format!("/{}", place.case)).await;
        assert_eq!(
            seen.recv().await,
            Some((file!(), place.line)),
            "{}",
            place.case
        );
    }
    assert!(seen.try_recv().is_err());
}

#[tokio::test]
async fn a_handler_sees_the_line() {
    let layer = ExceptionLayer::new().on_any(|caught: Caught| {
        let line = caught.location().unwrap().line();
        HttpException::conflict(line.to_string())
    });
    let app = Router::new().route("/{case}", get(fails)).layer(layer);
    let server = Server::start_axum(app).await;
    for place in places() {
        let received = server.get(&format!("/{}", place.case)).await;
        received.assert_detail(409, &place.line.to_string());
    }
}

/// An error that is a source of an `Error` has no place of its own.
#[test]
fn an_error_knows_where_it_was_converted() {
    let line = line!() + 1;
    let error = Error::from(sold_out());
    assert_eq!(
        (error.location().file(), error.location().line()),
        (file!(), line)
    );
    let boxed = error.into_boxed();
    let again = Error::from(boxed);
    assert_eq!(again.location().line(), line);
}
