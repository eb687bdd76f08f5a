//! Leaving for good, from wherever one is.

#[cfg(panic = "unwind")]
mod unwind;
