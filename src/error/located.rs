//! An error with the place at which it was converted or raised.

use std::{error::Error as StdError, fmt, panic::Location};

use super::BoxError;

/// An error, and the place at which it became an [`Error`](super::Error).
///
/// A failure shares it with observers and outer layers.
pub(crate) struct LocatedError {
    pub(crate) error: BoxError,
    pub(crate) location: &'static Location<'static>,
    /// `None` if the type only stands for an error of any type.
    pub(crate) type_name: Option<&'static str>,
}

impl fmt::Debug for LocatedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.error, f)
    }
}

impl fmt::Display for LocatedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl StdError for LocatedError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.error)
    }
}
