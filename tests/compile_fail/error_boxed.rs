//! `Error` as a boxed `std::error::Error`.

use tower_exception::Error;

fn boxed(error: Error) -> Box<dyn std::error::Error + Send + Sync> {
    error.into()
}

fn main() {
    boxed(std::io::Error::other("disk").into());
}
