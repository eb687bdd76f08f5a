//! A function that reveals an error whose argument has no type.

use tower_exception::ExceptionLayer;

fn main() {
    ExceptionLayer::new().reveal(|error| error.source());
}
