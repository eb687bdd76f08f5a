//! Places of panics: that of each panic that a layer catches, and of no other one.
//!
//! The tests of [`quiet`] and [`backtraces`] run in processes of their own, because a panic hook
//! and its settings are a process's.

#[path = "../support/mod.rs"]
mod support;

mod backtraces;
mod doubtful;
mod grpc;
mod layers;
mod quiet;
mod seen;
mod services;
mod tasks;
mod websocket;

#[rustfmt::skip]
#[allow(clippy::all, clippy::pedantic, unused_qualifications, dead_code)]
#[path = "../grpc/generated.rs"]
mod generated;

/// Panics with a literal that says the place.
macro_rules! panic_here {
    () => {
        panic!(concat!(file!(), " line ", line!()))
    };
}

/// Panics with a formatted text that says the place.
macro_rules! panic_formatted {
    () => {{
        let (file, line) = (file!(), line!());
        panic!("{file} line {line}")
    }};
}

use {panic_formatted, panic_here};
