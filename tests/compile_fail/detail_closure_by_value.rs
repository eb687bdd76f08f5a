//! A closure for the detail that takes the error by value.

use std::num::ParseIntError;

use tower_exception::prelude::*;

fn main() {
    let _ = "x".parse::<u32>().or_bad_request(|error: ParseIntError| error.to_string());
}
