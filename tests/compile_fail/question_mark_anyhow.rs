//! `?` on any error in a function that returns anyhow's.

fn price() -> tower_exception::Result<u32> {
    Ok(42)
}

fn main() -> anyhow::Result<()> {
    price()?;
    Ok(())
}
