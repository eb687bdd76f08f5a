//! A handler of failures that replies a response of axum.

use axum::Json;
use tower_exception::{Caught, ExceptionLayer};

fn main() {
    ExceptionLayer::new().on(|_: Caught<std::io::Error>| Json("the disk does not respond"));
}
