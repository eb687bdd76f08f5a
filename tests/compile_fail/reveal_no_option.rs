//! A function that reveals an error without `Some`.

use std::{fmt, io};

use tower_exception::ExceptionLayer;

#[derive(Debug)]
struct AppError(io::Error);

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for AppError {}

fn main() {
    ExceptionLayer::new().reveal(|error: &AppError| &error.0);
}
