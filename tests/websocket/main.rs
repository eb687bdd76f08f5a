//! The upgrade-aware layer: over real sockets, with axum, plain hyper and fastwebsockets as servers.

mod after;
mod before;
mod support;
