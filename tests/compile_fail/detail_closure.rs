//! A closure for the detail whose argument has no type.

use tower_exception::prelude::*;

fn main() {
    let _ = "x".parse::<u32>().or_bad_request(|error| format!("not a number: {error}"));
}
