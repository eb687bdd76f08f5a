//! Errors of any type, from any code, to the handlers of a layer, over sockets.

#[path = "../support/mod.rs"]
mod support;

mod axum;
mod bodies;
mod captured;
mod cases;
mod declining;
mod grpc;
mod layers;
mod logged;
mod payloads;
mod rejections;
mod replies;
mod returned;
mod revealed;
mod shop;
mod statuses;
mod values;
mod ways;
mod websocket;

/// Clients of [`generated`].
#[path = "../grpc/client.rs"]
mod client;

/// Code generated from `tests/grpc/proto/items.proto`.
#[path = "../grpc/generated.rs"]
#[rustfmt::skip]
#[allow(clippy::all, clippy::pedantic, unused_qualifications)]
mod generated;
