//! Exceptions over gRPC and gRPC-Web, with tonic's services and clients on real sockets.
//!
//! [`matrix`] has one test for each combination of protocol, kind of call, way of failing and
//! position. The other modules test the rest:
//!
//! | module | subject |
//! | --- | --- |
//! | [`wire`] | bytes and frames: trailers-only responses, trailer frames, base64, content types, reserved headers, any text |
//! | [`same_poll`] | messages that tonic still buffers when a failure follows them in the same poll |
//! | [`stacks`] | tonic's own server, axum with REST routes, interceptors, `poll_ready` and `call`, also over HTTP/1.1 |
//! | [`handlers`] | handlers and observers |
//! | [`identify`] | the id of a failure |
//! | [`invalid`] | the faults of a request that an exception lists |
//! | [`statuses`] | tonic's `Status`: from a handler, from a stream, and made by tonic from errors |
//! | [`supplement`] | what an exception says in addition to its detail: code, type, members, time to wait |
//! | [`tower_errors`] | timeouts, load shedding, a `Status` among the sources of an error |
//! | [`node`] | connect-web's client in Node (`tests/grpc-web/`), in the binary form and in the text form |
//!
//! The target `grpc_in_process` needs no feature and no socket. It tests how the layer treats a
//! request, a response and a body.

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod client;
mod details;
mod faults;
mod handlers;
mod identify;
mod invalid;
mod matrix;
mod node;
mod same_poll;
mod server;
mod stacks;
mod statuses;
mod supplement;
mod tower_errors;
mod wire;

/// Code generated from `proto/items.proto` by the crate in `generate`.
#[rustfmt::skip]
#[allow(clippy::all, clippy::pedantic, unused_qualifications)]
mod generated;
