//! The upgrade-aware layer: over real sockets, with axum, plain hyper and fastwebsockets as servers.

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "tracing")]
#[path = "../log/mod.rs"]
mod log;

mod after;
mod before;
mod catching;
mod crowd;
mod fast;
mod frames;
mod halves;
#[cfg(feature = "tracing")]
mod logged;
mod malformed;
mod nested;
mod peers;
mod races;
mod refused;
mod runtimes;
mod support;
mod unfinished;
mod untouched;
mod unwinding;
