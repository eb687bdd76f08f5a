//! A number as the detail.

use tower_exception::prelude::*;

fn main() {
    let _ = None::<u32>.or_not_found(404);
}
