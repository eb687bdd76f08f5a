//! An async handler that replies its own type.

use tower_exception::{Caught, ExceptionLayer};

struct Problem;

async fn problem(_: Caught<std::io::Error>) -> Problem {
    Problem
}

fn main() {
    ExceptionLayer::new().on(problem);
}
