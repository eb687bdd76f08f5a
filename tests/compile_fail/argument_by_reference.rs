//! A handler that takes its argument by reference.

use tower_exception::{Caught, ExceptionLayer, HttpException};

fn main() {
    ExceptionLayer::new().on(|_: &Caught<std::io::Error>| HttpException::bad_gateway("disk"));
}
