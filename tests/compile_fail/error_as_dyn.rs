//! `Error` as a reference to a `std::error::Error`.

use tower_exception::Error;

fn log(error: &dyn std::error::Error) {
    eprintln!("{error}");
}

fn main() {
    log(&Error::from(std::io::Error::other("disk")));
}
