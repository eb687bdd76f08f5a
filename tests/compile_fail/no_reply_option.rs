//! A handler that declines by `None`.

use tower_exception::{Caught, ExceptionLayer, HttpException};

fn main() {
    ExceptionLayer::new().on(|error: Caught<std::io::Error>| match error.kind() {
        std::io::ErrorKind::NotFound => Some(HttpException::not_found("no such file")),
        _ => None,
    });
}
