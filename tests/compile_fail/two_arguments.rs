//! A handler that takes the request as a second argument.

use tower_exception::{Caught, ExceptionLayer, HttpException, RequestHead};

fn gone(_: Caught<HttpException>, _: &RequestHead) -> HttpException {
    HttpException::gone("sold out")
}

fn main() {
    ExceptionLayer::new().on(gone);
}
