//! A handler that takes the bare error.

use tower_exception::{ExceptionLayer, HttpException};

fn main() {
    ExceptionLayer::new().on(|error: std::io::Error| HttpException::bad_gateway(error.to_string()));
}
