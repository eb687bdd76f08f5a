//! Harness of all test targets: a server and a client on real sockets, and values to check.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test target uses a part of the harness"
)]

mod bodies;
mod client;
mod deadline;
mod differences;
mod errors;
mod exits;
mod expected;
mod hostile;
#[cfg(feature = "tracing")]
pub mod log;
mod log_sink;
mod panic_hook;
pub mod problem_document;
mod received;
mod reports;
mod server;
#[cfg(all(feature = "axum", feature = "websocket"))]
pub mod websocket;

pub use self::{
    bodies::{body, endless_empty_frames, first_then},
    client::{Client, PROTOCOLS, Protocol, request},
    deadline::{LIMIT, within},
    differences::Differences,
    errors::{BoxError, Inner, Other, Outer, SECRET, SECRET_TEXT, SecretError},
    exits::{EXITS, Exit, serve_failing},
    expected::{PLAIN_500, PLAIN_504},
    hostile::hostile_text,
    log_sink::log_to_sink,
    panic_hook::panic_hook_runs,
    received::Received,
    reports::{Report, Reports, observed},
    server::Server,
};
