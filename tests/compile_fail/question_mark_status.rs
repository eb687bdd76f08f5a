//! `?` on a type that is no error in a function that returns `tower_exception::Result`.

use http::StatusCode;

fn item() -> tower_exception::Result<u32> {
    Err(StatusCode::NOT_FOUND)?
}

fn main() {
    item();
}
