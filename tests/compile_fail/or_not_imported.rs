//! A helper without the trait in scope.

use tower_exception::HttpException;

fn first(items: &[u32]) -> Result<&u32, HttpException> {
    items.first().or_not_found("no such item")
}

fn main() {
    first(&[]);
}
