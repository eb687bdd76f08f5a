//! Lists of the faults of a request: in each form and protocol, and from other crates' errors.
//!
//! `tests/grpc/invalid.rs` has them over gRPC.

#[path = "../support/mod.rs"]
mod support;

mod forms;
mod libraries;
mod messages;
mod rejections;

use tower_exception::{Fault, HttpException};

/// Returns an exception with a fault in each part of a request.
fn invalid() -> HttpException {
    HttpException::invalid()
        .at("/items/3/price", "must be positive")
        .at("/a~1b", Fault::missing())
        .at("", Fault::new("<b>is empty</b>").with_type("empty"))
        .at_query(
            "page",
            Fault::new("must be a number")
                .try_with_input("last")
                .unwrap(),
        )
        .at_path("item_id", "is unknown".to_owned())
        .at_header("x-count", Fault::missing())
}
