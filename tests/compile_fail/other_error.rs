//! A handler of a status that takes another type than `HttpException`.

use http::StatusCode;
use tower_exception::{Caught, ExceptionLayer, HttpException, Panic};

fn main() {
    ExceptionLayer::new().on_status(StatusCode::GONE, |_: Caught<Panic>| HttpException::gone("sold out"));
}
