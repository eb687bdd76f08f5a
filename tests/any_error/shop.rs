//! The errors of a shop, and a layer that handles two of their types.

use std::{error::Error as StdError, io, time::Duration};

use axum::routing::{MethodRouter, get};
use http::HeaderValue;
use tonic::Status;
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, Reply, Result, config::Configured,
    render::Rendered,
};

use crate::support::SECRET_TEXT;

#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    #[error("{0} is sold out")]
    SoldOut(&'static str),
    /// The handler of [`shop`] declines it.
    #[error("the shop is on fire")]
    OnFire,
    #[error("the disk of the shop")]
    Disk(#[source] io::Error),
}

#[derive(Debug, thiserror::Error)]
#[error("the order")]
pub struct OrderError(#[source] pub anyhow::Error);

/// An error that only stands for another one.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Io(io::Error),
    #[error(transparent)]
    Shop(ShopError),
    #[error(transparent)]
    Http(HttpException),
    #[error(transparent)]
    Late(tokio::time::error::Elapsed),
    #[error(transparent)]
    Grpc(Status),
    #[error(transparent)]
    Report(anyhow::Error),
    #[error(transparent)]
    Nested(Box<AppError>),
}

impl AppError {
    /// Returns the error that it stands for.
    pub fn held(&self) -> &(dyn StdError + 'static) {
        match self {
            Self::Io(error) => error,
            Self::Shop(error) => error,
            Self::Http(error) => error,
            Self::Late(error) => error,
            Self::Grpc(error) => error,
            Self::Report(error) => &**error,
            Self::Nested(error) => error,
        }
    }
}

pub fn sold_out() -> ShopError {
    ShopError::SoldOut("plumbus")
}

pub fn disk() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, SECRET_TEXT)
}

pub fn elapsed() -> tokio::time::error::Elapsed {
    // The runtime of the test cannot fire a timer while it is blocked here.
    let elapsed = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(async {
            tokio::time::timeout(Duration::ZERO, std::future::pending::<()>())
                .await
                .unwrap_err()
        })
    });
    elapsed.join().unwrap()
}

/// Handles a [`ShopError`] except for one variant, and an `io::Error`.
pub fn shop() -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .on(|error: Caught<ShopError>| match error.error() {
            ShopError::SoldOut(item) => HttpException::gone(format!("no {item} left")).into(),
            _ => Reply::decline(),
        })
        .on(|error: Caught<io::Error>| HttpException::bad_gateway(format!("{:?}", error.kind())))
}

pub fn taken() -> HttpException {
    HttpException::conflict("taken").with_source(disk())
}

/// Returns an axum handler that returns `error`.
pub fn returning<E: Into<Error> + 'static>(error: fn() -> E) -> MethodRouter {
    get(async move || -> Result<()> { Err(error().into()) })
}

/// Renders the text of the exception.
pub fn text(exception: &HttpException, _: &Caught) -> Rendered {
    Rendered::new(
        HeaderValue::from_static("text/plain"),
        exception.to_string(),
    )
}
