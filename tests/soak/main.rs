//! Soak test: many connections at once for a while, in every mechanism, with clients that leave in
//! the middle.
//!
//! Each request has a mark of its own in its path, and every text that a failure of it may produce
//! has the same mark. Nothing that a client, an observer or the log receives may have the mark of
//! another request. Each failure is reported once. At the end the server has as many tasks, open
//! files and bytes as at the start.
//!
//! By default there are 200 connections for 5 seconds, once on a multi-thread and once on a
//! current-thread runtime. For a long run:
//!
//! ```sh
//! SOAK_SECONDS=60 cargo test --release --all-features --test soak -- --nocapture
//! ```
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `SOAK_SECONDS` | duration for each runtime | 5 |
//! | `SOAK_CONNECTIONS` | connections at once; two open files each | 200; 2,000 with `SOAK_SECONDS` |
//! | `SOAK_SEED` | seed of the clients, from the message of a failed run | the time |
//!
//! A seed repeats the requests, and not the order in which they reach the server.

#[path = "../support/mod.rs"]
mod support;

mod app;
mod case;
mod client;
mod connection;
mod expected;
mod ledger;
mod log;
mod mark;
mod random;
mod resources;
mod run;
mod settings;
mod sockets;
mod stacks;

use run::{Flavour, soak};

#[test]
fn a_multi_thread_server_mixes_up_and_leaks_nothing() {
    soak(Flavour::MultiThread);
}

#[test]
fn a_current_thread_server_mixes_up_and_leaks_nothing() {
    soak(Flavour::CurrentThread);
}
