//! Forms of an exception on the wire, over sockets.

#[path = "../support/mod.rs"]
mod support;

mod accept;
mod caught;
mod failures;
mod html;
mod negotiated;
mod problem;
mod renderer;
