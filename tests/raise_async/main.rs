//! Raising without unwinding, in everything that a raising future may stand in.
//!
//! Each row of the table in `src/docs/raising.md` is proven here, by what became of a guard that stood in
//! the raising function: dropped once, and by an unwinding or not.

mod bodies;
mod catching;
mod destructors;
mod executors;
mod functions;
mod futures_combinators;
mod interleavings;
mod layers;
#[cfg(feature = "axum")]
mod served_by_axum;
mod support;
mod tokio_combinators;
mod tokio_tasks;
