//! An axum app whose handlers use `?` on anything.

use std::{io, sync::Arc};

use axum::{Router, extract::Path, routing::get};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Reply, Result, bail, ensure, prelude::*,
};

use crate::support::{SECRET_TEXT, Server};

#[derive(Debug, thiserror::Error)]
enum ShopError {
    #[error("{0} is sold out")]
    SoldOut(String),
    #[error("the shop is on fire")]
    OnFire,
    #[error("the disk of the shop")]
    Disk(#[source] io::Error),
    #[error(transparent)]
    Hidden(io::Error),
}

fn disk() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, SECRET_TEXT)
}

/// Three calls deep, without a `Result`.
fn raise_deep(depth: u8) -> u32 {
    match depth {
        0 => ShopError::SoldOut("plumbus".into()).raise(),
        _ => raise_deep(depth - 1),
    }
}

async fn fails(Path(case): Path<String>) -> Result<String> {
    match &*case {
        "io" => Err(disk())?,
        "json" => {
            serde_json::from_str::<u32>(SECRET_TEXT)?;
        }
        "anyhow" => Err(anyhow::anyhow!(ShopError::SoldOut("plumbus".into())))?,
        "anyhow-context" => {
            Err(anyhow::Error::new(ShopError::SoldOut("plumbus".into())).context(SECRET_TEXT))?
        }
        "eyre" => Err(eyre::eyre!(ShopError::SoldOut("plumbus".into())))?,
        "box" => Err(Box::new(ShopError::SoldOut("plumbus".into())))?,
        "arc" => Err(Arc::new(ShopError::SoldOut("plumbus".into())))?,
        "own" => Err(ShopError::SoldOut("plumbus".into()))?,
        "declined" => Err(ShopError::OnFire)?,
        "source" => Err(ShopError::Disk(disk()))?,
        "hidden" => Err(ShopError::Hidden(disk()))?,
        "http" => Err(HttpException::gone("sold out"))?,
        "bail" => bail!(conflict, "{case} is taken"),
        "ensure" => ensure!(case.is_empty(), forbidden, "{case} may not"),
        "option" => return None.or_not_found("no such item").map_err(Into::into),
        "result" => {
            return Err(disk())
                .or_bad_gateway(|error: &_| format!("{:?}", io::Error::kind(error)))
                .map_err(Into::into);
        }
        "lazy" => return Err(disk()).or_gone(|| "worn out").map_err(Into::into),
        "raised" => return Ok(raise_deep(3).to_string()),
        "raised-async" => ShopError::SoldOut("plumbus".into()).raise_async().await,
        "panic-any" => std::panic::panic_any(ShopError::SoldOut("plumbus".into())),
        "resumed" => std::panic::resume_unwind(Box::new(anyhow::Error::new(ShopError::SoldOut(
            "plumbus".into(),
        )))),
        "task" => return Ok(tokio::spawn(async { raise_deep(1) }).await?.to_string()),
        "task-anyhow" => {
            use anyhow::Context as _;
            let joined = tokio::spawn(async { raise_deep(1) }).await;
            return Ok(joined.context("the task")?.to_string());
        }
        "timeout" => {
            let never = std::future::pending::<()>();
            tokio::time::timeout(std::time::Duration::from_millis(1), never).await?;
        }
        "timeout-box" => {
            let never = std::future::pending::<()>();
            let wait = tokio::time::timeout(std::time::Duration::from_millis(1), never).await;
            wait.map_err(Box::new)?;
        }
        "panic" => panic!("{SECRET_TEXT}"),
        other => bail!(not_found, "no case {other}"),
    }
    Ok("fine".into())
}

fn app(layer: ExceptionLayer<impl tower_exception::config::LayerConfig>) -> Router {
    Router::new().route("/{case}", get(fails)).layer(layer)
}

/// Maps two types, and declines some of one.
fn shop() -> ExceptionLayer<tower_exception::config::Configured> {
    ExceptionLayer::new()
        .on(|error: Caught<ShopError>| match error.error() {
            ShopError::SoldOut(item) => HttpException::gone(format!("no {item} left")).into(),
            _ => Reply::decline(),
        })
        .on(|error: Caught<io::Error>| HttpException::bad_gateway(format!("{:?}", error.kind())))
}

// E1, E2, E9, E11
#[tokio::test]
async fn every_error_reaches_its_handler_from_an_axum_handler() {
    let server = Server::start_axum(app(shop())).await;
    for (case, expected) in [
        ("io", r#"502 {"detail":"NotFound"}"#),
        ("json", r#"500 {"detail":"Internal Server Error"}"#),
        ("anyhow", r#"410 {"detail":"no plumbus left"}"#),
        ("anyhow-context", r#"410 {"detail":"no plumbus left"}"#),
        ("eyre", r#"410 {"detail":"no plumbus left"}"#),
        ("box", r#"410 {"detail":"no plumbus left"}"#),
        ("arc", r#"410 {"detail":"no plumbus left"}"#),
        ("own", r#"410 {"detail":"no plumbus left"}"#),
        ("declined", r#"500 {"detail":"Internal Server Error"}"#),
        ("source", r#"502 {"detail":"NotFound"}"#),
        ("hidden", r#"500 {"detail":"Internal Server Error"}"#),
        ("http", r#"410 {"detail":"sold out"}"#),
        ("bail", r#"409 {"detail":"bail is taken"}"#),
        ("ensure", r#"403 {"detail":"ensure may not"}"#),
        ("option", r#"404 {"detail":"no such item"}"#),
        ("result", r#"502 {"detail":"NotFound"}"#),
        ("lazy", r#"410 {"detail":"worn out"}"#),
        ("raised", r#"410 {"detail":"no plumbus left"}"#),
        ("raised-async", r#"410 {"detail":"no plumbus left"}"#),
        ("panic-any", r#"410 {"detail":"no plumbus left"}"#),
        ("resumed", r#"410 {"detail":"no plumbus left"}"#),
        ("task", r#"410 {"detail":"no plumbus left"}"#),
        ("task-anyhow", r#"410 {"detail":"no plumbus left"}"#),
        ("timeout", r#"504 {"detail":"Gateway Timeout"}"#),
        ("timeout-box", r#"504 {"detail":"Gateway Timeout"}"#),
        ("panic", r#"500 {"detail":"Internal Server Error"}"#),
    ] {
        let received = server.get(&format!("/{case}")).await;
        let got = format!("{} {}", received.status.as_u16(), received.text());
        assert_eq!(got, expected, "{case}");
    }
}
