//! Raising without unwinding, in every construct that may contain a raising future.
//!
//! These tests prove each row of the table in the module docs of `tower_exception::raise`. A guard
//! in the raising function records that it was dropped once, and whether by an unwinding.

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod catching;
mod destructors;
mod executors;
mod functions;
mod futures_combinators;
mod guard;
mod interleavings;
mod layers;
mod request;
#[cfg(feature = "axum")]
mod served_by_axum;
mod tokio_combinators;
mod tokio_tasks;
