//! A function that reveals an error as its own type.

use std::{fmt, io};

use tower_exception::ExceptionLayer;

#[derive(Debug)]
struct AppError(io::Error);

impl AppError {
    fn inner(&self) -> Option<&io::Error> {
        Some(&self.0)
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for AppError {}

fn main() {
    ExceptionLayer::new().reveal(AppError::inner);
}
