//! WebSockets under the layer, over real sockets, with axum, plain hyper and fastwebsockets as
//! servers.

#[path = "../support/mod.rs"]
mod support;

mod after;
mod before;
mod catching;
mod crowd;
mod errors;
mod exchanged;
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
mod unfinished;
mod untouched;
mod unwinding;
