//! Any error under `panic = "abort"`: everything works except `raise`.

use std::{fmt, io};

use http::{Response, StatusCode};
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, Reply, Result, bail, catch, catch_sync,
    config::Configured, ensure, prelude::*,
};

use crate::{HttpResponse, serve};

#[derive(Debug, PartialEq)]
enum ShopError {
    SoldOut,
    OnFire,
}

impl fmt::Display for ShopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shop has a secret")
    }
}

impl std::error::Error for ShopError {}

/// Handles one type, declines a part of another one, and handles a range of statuses.
fn layer() -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .on(|_: Caught<io::Error>| HttpException::bad_gateway("disk"))
        .on(|error: Caught<ShopError>| match *error {
            ShopError::SoldOut => HttpException::gone("sold out").into(),
            ShopError::OnFire => Reply::decline(),
        })
        .on_status(400..=403, |exception: Caught<HttpException>| {
            let detail = format!("refused: {}", exception.detail_or_reason());
            exception.clone().with_detail(detail)
        })
}

fn disk() -> io::Result<u32> {
    Err(io::Error::other("a secret"))
}

async fn raise_deep<E: Raise>(calls: u32, error: E) -> HttpResponse {
    tokio::task::yield_now().await;
    match calls {
        0 => error.raise_async().await,
        _ => Box::pin(raise_deep(calls - 1, error)).await,
    }
}

async fn fail(case: &str) -> Result<HttpResponse> {
    match case {
        "io" => drop(disk()?),
        "own" => Err(ShopError::SoldOut)?,
        "declined" => Err(ShopError::OnFire)?,
        "parse" => drop("x".parse::<u32>()?),
        "exception" => Err(HttpException::not_found("no such item"))?,
        "option" => drop(None::<u32>.or_conflict("taken")?),
        "result" => drop(disk().or_status(StatusCode::IM_A_TEAPOT, |_: &_| "tea")?),
        "bail" => bail!(forbidden, "not {case}"),
        "ensure" => ensure!(case.is_empty(), bad_request, "page {}", 100),
        "raised" => return Ok(raise_deep(3, ShopError::SoldOut).await),
        "raised-any" => return Ok(raise_deep(3, Error::from(disk().unwrap_err())).await),
        other => panic!("no case {other}"),
    }
    Ok(Response::new("fine".into()))
}

pub(crate) async fn reach_their_handlers() {
    for (case, expected) in [
        ("io", r#"502 {"detail":"disk"}"#),
        ("own", r#"410 {"detail":"sold out"}"#),
        ("declined", r#"500 {"detail":"Internal Server Error"}"#),
        ("parse", r#"500 {"detail":"Internal Server Error"}"#),
        ("exception", r#"404 {"detail":"no such item"}"#),
        ("option", r#"409 {"detail":"taken"}"#),
        ("result", r#"418 {"detail":"tea"}"#),
        ("bail", r#"403 {"detail":"refused: not bail"}"#),
        ("ensure", r#"400 {"detail":"refused: page 100"}"#),
        ("raised", r#"410 {"detail":"sold out"}"#),
        ("raised-any", r#"502 {"detail":"disk"}"#),
    ] {
        let (status, body) = serve(layer(), || fail(case)).await;
        let received = format!("{status} {}", String::from_utf8_lossy(&body));
        assert_eq!(received, expected, "{case}");
    }
}

pub(crate) async fn are_caught_by_type() {
    let caught = catch(raise_deep(3, ShopError::SoldOut)).await.unwrap_err();
    assert_eq!(caught.downcast::<ShopError>().unwrap(), ShopError::SoldOut);
    let caught = catch(raise_deep(3, Error::from(ShopError::OnFire))).await;
    assert!(caught.unwrap_err().is::<ShopError>());
}

/// Nothing can raise in sync code, so that the closure returns, whatever it returns.
pub(crate) fn are_returned_by_catch_sync() {
    assert_eq!(catch_sync(|| 7).unwrap(), 7);
    let returned = catch_sync(disk).unwrap();
    assert_eq!(returned.unwrap_err().to_string(), "a secret");
}
