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
mod renderer;
