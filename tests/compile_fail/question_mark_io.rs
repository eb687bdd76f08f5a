//! `?` on any error in a function that returns an error of the standard library.

fn price() -> tower_exception::Result<u32> {
    Ok(42)
}

fn item() -> std::io::Result<u32> {
    Ok(price()?)
}

fn main() {
    item();
}
