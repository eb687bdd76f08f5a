//! Leaving for good, from wherever one is.

mod catch;
mod raise_async;
pub(crate) mod slot;
#[cfg(panic = "unwind")]
mod unwind;

pub use {
    catch::{Catch, catch},
    raise_async::RaiseAsync,
};
