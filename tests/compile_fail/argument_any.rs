//! A handler of everything that is registered by `on`.

use tower_exception::{Caught, ExceptionLayer, HttpException};

fn main() {
    ExceptionLayer::new().on(|_: Caught| HttpException::bad_gateway("disk"));
}
