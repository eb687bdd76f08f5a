//! Every error in every wrapping, and its response.

use std::{error::Error as StdError, io, sync::Arc};

use tonic::Status;
use tower_exception::{Error, prelude::*};

use crate::{
    shop::{AppError, OrderError, ShopError, disk, elapsed, sold_out, taken},
    support::{BoxError, SECRET_TEXT},
};

/// An error, and its response under [`shop`](crate::shop::shop) and without handlers.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub error: fn() -> Error,
    pub handled: (u16, &'static str),
    pub default: (u16, &'static str),
}

impl Case {
    /// Returns the case whose number is the last segment of a path.
    pub fn of_path(path: &str) -> Self {
        let (_, number) = path.rsplit_once('/').unwrap();
        CASES[number.parse::<usize>().unwrap()]
    }
}

const fn case(
    name: &'static str,
    error: fn() -> Error,
    handled: (u16, &'static str),
    default: (u16, &'static str),
) -> Case {
    Case {
        name,
        error,
        handled,
        default,
    }
}

const GONE: (u16, &str) = (410, "no plumbus left");
const DISK: (u16, &str) = (502, "NotFound");
const UNKNOWN: (u16, &str) = (500, "Internal Server Error");
const LATE: (u16, &str) = (504, "Gateway Timeout");
const TAKEN: (u16, &str) = (409, "taken");
const NO_ROW: (u16, &str) = (404, "no row");

fn shared(error: impl StdError + Send + Sync + 'static) -> Arc<dyn StdError + Send + Sync> {
    Arc::new(error)
}

fn report(error: impl StdError + Send + Sync + 'static) -> anyhow::Error {
    anyhow::Error::new(error)
}

/// Every error in every wrapping.
#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case("io", || disk().into(), DISK, UNKNOWN),
    case("json", || serde_json::from_str::<u8>(SECRET_TEXT).unwrap_err().into(), UNKNOWN, UNKNOWN),
    case("boxed", || BoxError::from(disk()).into(), DISK, UNKNOWN),
    case("text", || BoxError::from(SECRET_TEXT).into(), UNKNOWN, UNKNOWN),
    case("own", || sold_out().into(), GONE, UNKNOWN),
    case("declined", || ShopError::OnFire.into(), UNKNOWN, UNKNOWN),
    case("declined by one, handled as its source",
        || ShopError::Disk(disk()).into(), DISK, UNKNOWN),
    case("in io", || io::Error::other(sold_out()).into(), IO, UNKNOWN),
    case("in a box", || Box::new(sold_out()).into(), GONE, UNKNOWN),
    case("in an arc", || Arc::new(sold_out()).into(), GONE, UNKNOWN),
    case("in an arc of any", || shared(sold_out()).into(), GONE, UNKNOWN),
    case("box in an arc of any", || shared(Box::new(sold_out())).into(), GONE, UNKNOWN),
    case("in an error", || Error::from(sold_out()), GONE, UNKNOWN),
    case("in a boxed error", || Error::from(sold_out()).into_boxed().into(), GONE, UNKNOWN),
    case("anyhow", || report(sold_out()).into(), GONE, UNKNOWN),
    case("anyhow of a text", || anyhow::anyhow!(SECRET_TEXT).into(), UNKNOWN, UNKNOWN),
    case("anyhow with a text", || report(sold_out()).context(SECRET_TEXT).into(), GONE, UNKNOWN),
    case("anyhow with two texts",
        || report(sold_out()).context("a").context("b").into(), GONE, UNKNOWN),
    case("anyhow with an error", || report(disk()).context(sold_out()).into(), GONE, UNKNOWN),
    case("anyhow with an exception", || report(disk()).context(taken()).into(), TAKEN, TAKEN),
    case("anyhow with a text on an exception",
        || report(disk()).context(taken()).context("a").into(), TAKEN, TAKEN),
    case("anyhow of an exception", || report(taken()).context("a").into(), TAKEN, TAKEN),
    case("anyhow as a source", || OrderError(report(sold_out())).into(), GONE, UNKNOWN),
    case("anyhow in a box",
        || BoxError::from(report(sold_out()).context("a")).into(), GONE, UNKNOWN),
    case("eyre", || eyre::Report::new(sold_out()).into(), GONE, UNKNOWN),
    case("eyre with a text", || eyre::Report::new(sold_out()).wrap_err("a").into(), GONE, UNKNOWN),
    case("eyre with an error",
        || eyre::Report::new(disk()).wrap_err(sold_out()).into(), GONE, UNKNOWN),
    case("eyre with an exception",
        || eyre::Report::new(disk()).wrap_err(taken()).into(), TAKEN, TAKEN),
    case("exception", || taken().into(), TAKEN, TAKEN),
    case("exception in a box", || Box::new(taken()).into(), TAKEN, TAKEN),
    case("exception in an arc", || Arc::new(taken()).into(), TAKEN, TAKEN),
    case("exception in an arc of any", || shared(taken()).into(), TAKEN, TAKEN),
    case("elapsed", || elapsed().into(), LATE, LATE),
    case("elapsed in a box", || Box::new(elapsed()).into(), LATE, LATE),
    case("elapsed in an arc", || Arc::new(elapsed()).into(), LATE, LATE),
    case("elapsed in anyhow", || report(elapsed()).context("a").into(), LATE, LATE),
    case("elapsed under an exception", || report(elapsed()).context(taken()).into(), TAKEN, TAKEN),
    case("status", || Status::not_found("no row").into(), NO_ROW, NO_ROW),
    case("status in a box", || Box::new(Status::not_found("no row")).into(), NO_ROW, NO_ROW),
    case("status in an arc", || Arc::new(Status::not_found("no row")).into(), NO_ROW, NO_ROW),
    case("status in anyhow", || report(Status::not_found("no row")).into(), NO_ROW, NO_ROW),
    // A status that is only a source was not made for the client.
    case("status as a source",
        || io::Error::other(Status::not_found("no row")).into(), IO, HIDDEN),
    case("status in anyhow with a text",
        || report(Status::not_found("no row")).context("a").into(), HIDDEN, HIDDEN),
    case("bail", || bailed().unwrap_err(), TAKEN, TAKEN),
    case("transparent", || AppError::Io(disk()).into(), UNKNOWN, UNKNOWN),
    case("transparent of an exception", || AppError::Http(taken()).into(), TAKEN, TAKEN),
];

const HIDDEN: (u16, &str) = (404, "Not Found");
const IO: (u16, &str) = (502, "Other");

fn bailed() -> tower_exception::Result<u8> {
    bail!(conflict, "taken")
}
