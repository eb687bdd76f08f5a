//! gRPC and gRPC-Web without features and without sockets: responses and bodies of the layer.

#[path = "../support/mod.rs"]
mod support;

mod head;
mod stream;
