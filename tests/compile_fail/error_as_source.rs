//! `Error` as the source of an exception.

use tower_exception::{Error, HttpException};

fn main() {
    let error = Error::from(std::io::Error::other("disk"));
    let _ = HttpException::bad_gateway("try again").with_source(error);
}
