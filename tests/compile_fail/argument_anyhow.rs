//! A handler of `anyhow::Error`, in place of the type that it was made of.

use tower_exception::{Caught, ExceptionLayer, HttpException};

fn main() {
    ExceptionLayer::new().on(|_: Caught<anyhow::Error>| HttpException::bad_gateway("disk"));
}
