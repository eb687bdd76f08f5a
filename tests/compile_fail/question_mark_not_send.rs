//! `?` on a boxed error that cannot be sent to another thread.

use std::error::Error;

fn price() -> Result<u32, Box<dyn Error>> {
    Ok(42)
}

fn item() -> tower_exception::Result<u32> {
    Ok(price()?)
}

fn main() {
    item();
}
