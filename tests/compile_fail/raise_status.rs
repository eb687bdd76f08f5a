//! `raise` of a status.

use http::StatusCode;
use tower_exception::prelude::*;

fn main() {
    StatusCode::NOT_FOUND.raise()
}
