//! gRPC and gRPC-Web without any feature, and without sockets: responses and bodies as the layer gives them.

#[path = "../common/mod.rs"]
mod common;

mod head;
mod stream;
