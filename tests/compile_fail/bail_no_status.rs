//! A status that no constructor has for its name.

use tower_exception::{Result, bail};

fn brew() -> Result<u32> {
    bail!(im_a_teapot, "no coffee");
}

fn main() {
    brew();
}
