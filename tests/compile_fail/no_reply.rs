//! A handler that replies a number.

use tower_exception::{Caught, ExceptionLayer};

fn main() {
    ExceptionLayer::new().on(|_: Caught<std::io::Error>| 404);
}
