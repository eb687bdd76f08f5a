//! `raise` of a type that is no error.

use tower_exception::prelude::*;

struct UnicornError;

fn main() {
    UnicornError.raise()
}
