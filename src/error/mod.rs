//! Errors on their way to the layer: of any type, boxed, shared, and of a response body.

mod any;
mod body;
mod chain;
mod located;
mod report;
mod shared;

use std::error::Error as StdError;

#[cfg(feature = "tonic")]
pub(crate) use self::located::ErrorValue;
#[cfg(feature = "debug-page")]
pub(crate) use self::report::is_report;
pub(crate) use self::{
    any::BoxedError,
    chain::{MAX_SOURCES, find, is, source, sources},
    located::LocatedError,
    report::{backtrace, boxed, cast, of_payload},
    shared::{SharedError, held},
};
pub use self::{
    any::{Error, Result},
    body::BodyError,
};
#[cfg(feature = "tokio")]
pub(crate) use self::{chain::downcast_ref, report::take};

/// Error of any type.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::StdError;

    /// Error that the tests of this folder search for.
    #[derive(Debug)]
    pub(super) struct SoldOut;

    impl fmt::Display for SoldOut {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("sold out")
        }
    }

    impl StdError for SoldOut {}
}
