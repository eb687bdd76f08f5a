//! `raise` of an error without the trait in scope.

use tower_exception::Result;

fn main() -> Result<()> {
    std::io::Error::other("disk").raise()
}
