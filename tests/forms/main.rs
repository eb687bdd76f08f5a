//! Forms of an exception on the wire, over sockets.

#[path = "../support/mod.rs"]
mod support;

mod accept;
mod caught;
mod example;
mod failures;
mod html;
#[path = "../../examples/forms/main.rs"]
#[allow(dead_code, reason = "only the app is served")]
mod main_of_example;
mod negotiated;
mod problem;
mod problem_details;
mod renderer;

/// Returns an exception that says everything that one can say.
fn supplemented() -> tower_exception::HttpException {
    tower_exception::HttpException::conflict("plumbus 7 is sold out")
        .with_type("https://shop.example/problems/sold-out")
        .with_title("Sold out")
        .with_code("sold-out")
        .with_retry_after(std::time::Duration::from_secs(60))
        .try_with_member("left", &0)
        .unwrap()
}
