//! Leaving for good, from wherever one is.

mod catch;
#[cfg(feature = "websocket")]
mod mark;
mod raise_async;
pub(crate) mod slot;
#[cfg(panic = "unwind")]
mod unwind;

#[cfg(feature = "websocket")]
pub(crate) use mark::{Asking, Mark};
pub use {
    catch::{Catch, catch},
    raise_async::RaiseAsync,
};
