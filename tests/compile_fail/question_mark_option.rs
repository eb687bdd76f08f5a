//! `?` on an `Option` in a function that returns `tower_exception::Result`.

fn first(items: &[u32]) -> tower_exception::Result<u32> {
    Ok(*items.first()?)
}

fn main() {
    first(&[]);
}
