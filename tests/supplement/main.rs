//! Additions to the detail of an exception, over HTTP and WebSocket and in the log.
//!
//! `tests/grpc/supplement.rs` has them over gRPC.

#[path = "../support/mod.rs"]
mod support;

mod http;
mod logged;
mod websocket;

use std::time::Duration;

use tower_exception::HttpException;

/// Returns an exception that says everything that one can say.
fn supplemented() -> HttpException {
    HttpException::conflict("plumbus 7 is sold out")
        .with_type("https://shop.example/problems/sold-out")
        .with_title("Sold out")
        .with_code("item-sold-out")
        .with_retry_after(Duration::from_millis(1_500))
        .try_with_member("left", &0)
        .unwrap()
}
