//! A helper on a result whose error is none.

use http::StatusCode;
use tower_exception::prelude::*;

fn main() {
    let _ = Err::<u32, _>(StatusCode::GONE).or_not_found("no such item");
}
