//! A number as the argument of a function that takes any reply.

use tower_exception::IntoReply;

fn store(_: impl IntoReply) {}

fn main() {
    store(404);
}
