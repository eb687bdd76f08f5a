//! A call of `raise` by the name of its trait, which must not compile under `panic = "abort"`.

use tower_exception::Raise;

fn main() {
    <std::io::Error as Raise>::raise(std::io::Error::other("disk"))
}
