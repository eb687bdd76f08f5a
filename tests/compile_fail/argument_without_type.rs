//! A handler whose argument has no type.

use tower_exception::{ExceptionLayer, HttpException};

fn main() {
    ExceptionLayer::new().on(|error| HttpException::bad_gateway(error.to_string()));
}
