//! The layer in stacks with heavy dependencies: each served by its own server, to a real client.

mod async_graphql;
#[path = "../../../frameworks/tests/client/mod.rs"]
mod client;
mod http3;
mod lambda;
#[allow(dead_code, reason = "the frameworks use all of it")]
#[path = "../../../frameworks/tests/shared/mod.rs"]
mod shared;
mod tower_sessions;
mod warp;
