//! A handler of `tower_exception::Error`, in place of the type that it was made of.

use tower_exception::{Caught, Error, ExceptionLayer, HttpException};

fn main() {
    ExceptionLayer::new().on(|_: Caught<Error>| HttpException::bad_gateway("disk"));
}
