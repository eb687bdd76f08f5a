//! The upgrade-aware layer: over real sockets, with axum, plain hyper and fastwebsockets as servers.

#[path = "../common/mod.rs"]
mod common;

mod after;
mod before;
mod catching;
mod crowd;
mod fast;
mod frames;
mod halves;
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
