//! Exceptions over gRPC and gRPC-Web: tonic's services and clients on real sockets, and bytes where no client
//! shows enough.

#[path = "../common/mod.rs"]
mod common;

mod calls;
mod client;
mod details;
mod faults;
mod handlers;
mod matrix;
mod node;
mod same_poll;
mod server;
mod stacks;
mod statuses;
mod tower_errors;
mod wire;

/// Written by the crate in `generate`, from `proto/items.proto`.
#[rustfmt::skip]
#[allow(clippy::all, clippy::pedantic, unused_qualifications)]
mod generated;
