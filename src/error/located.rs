//! An error with the place at which it was converted or raised.

use std::{error::Error as StdError, fmt, panic::Location};

use super::{BoxError, boxed, cast};
use crate::exception::{Exception, HttpException, WebSocketException};

/// An error, and the place at which it became an [`Error`](super::Error).
///
/// A failure shares it with observers and outer layers.
pub(crate) struct LocatedError {
    pub(crate) value: ErrorValue,
    pub(crate) location: &'static Location<'static>,
    /// `None` if the type only stands for an error of any type.
    pub(crate) type_name: Option<&'static str>,
}

/// The error itself.
pub(crate) enum ErrorValue {
    /// In no box of its own, which would be one more allocation.
    Exception(Exception),
    Other(BoxError),
}

impl ErrorValue {
    pub(super) fn new<E: Into<BoxError> + 'static>(error: E) -> Self {
        let error = match cast::<E, HttpException>(error) {
            Ok(exception) => return Self::Exception(exception.into()),
            Err(error) => error,
        };
        match cast::<E, WebSocketException>(error) {
            Ok(exception) => Self::Exception(exception.into()),
            Err(error) => Self::Other(boxed(error)),
        }
    }

    pub(crate) fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        match self {
            Self::Exception(exception) => exception.as_error(),
            Self::Other(error) => &**error,
        }
    }

    /// Returns the exception that the error itself is.
    ///
    /// # Errors
    ///
    /// The error, if it is none.
    pub(crate) fn into_exception(self) -> Result<Exception, Self> {
        match self {
            Self::Exception(exception) => Ok(exception),
            Self::Other(error) => Exception::downcast(error).map_err(Self::Other),
        }
    }

    /// Boxes the error, by its own type.
    pub(crate) fn into_boxed(self) -> BoxError {
        match self {
            Self::Exception(Exception::Http(exception)) => exception.into(),
            Self::Exception(Exception::WebSocket(exception)) => exception.into(),
            Self::Other(error) => error,
        }
    }
}

impl fmt::Debug for LocatedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.value.as_error(), f)
    }
}

impl fmt::Display for LocatedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.value.as_error(), f)
    }
}

impl StdError for LocatedError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.value.as_error())
    }
}
