//! `?` on any error in a function that returns a boxed one.

use std::error::Error;

fn price() -> tower_exception::Result<u32> {
    Ok(42)
}

fn main() -> Result<(), Box<dyn Error>> {
    price()?;
    Ok(())
}
