//! A text as the status of `on_status`.

use tower_exception::{Caught, ExceptionLayer, HttpException};

fn main() {
    ExceptionLayer::new().on_status("404", |_: Caught<HttpException>| HttpException::gone("sold out"));
}
