//! `?` on any error in a function that returns `HttpException`.

use tower_exception::HttpException;

fn price() -> tower_exception::Result<u32> {
    Ok(42)
}

fn item() -> Result<u32, HttpException> {
    Ok(price()?)
}

fn main() {
    item();
}
