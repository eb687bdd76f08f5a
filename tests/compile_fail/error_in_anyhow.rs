//! `Error` as an `anyhow::Error`.

use tower_exception::Error;

fn main() {
    let error = Error::from(std::io::Error::other("disk"));
    let _ = anyhow::Error::from(error);
}
