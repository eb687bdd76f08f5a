//! A handler of everything that takes one type.

use tower_exception::{Caught, ExceptionLayer, HttpException};

fn main() {
    ExceptionLayer::new().on_any(|_: Caught<std::io::Error>| HttpException::bad_gateway("disk"));
}
