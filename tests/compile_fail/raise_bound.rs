//! A type that is no error as the argument of a function that raises any.

use tower_exception::Raise;

struct UnicornError;

fn fail(error: impl Raise) -> ! {
    error.raise()
}

fn main() {
    fail(UnicornError)
}
