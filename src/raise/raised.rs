//! The value that is raised: an exception, or any other error.

use crate::{
    error::{Error, LocatedError},
    exception::Exception,
};

/// Exception or other error that is raised.
///
/// An exception is not an [`Error`] here, because that takes one more allocation.
#[derive(Debug)]
pub(crate) enum Raised {
    Exception(Exception),
    Error(Error),
}

impl Raised {
    /// Returns the error that `catch` returns.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Exception(Exception::Http(exception)) => {
                let location = exception.location();
                Error::at(exception, location)
            }
            Self::Exception(Exception::WebSocket(exception)) => {
                let location = exception.location();
                Error::at(exception, location)
            }
            Self::Error(error) => error,
        }
    }
}

impl From<Exception> for Raised {
    fn from(exception: Exception) -> Self {
        Self::Exception(exception)
    }
}

/// An error that is an exception is raised as that exception.
impl From<Error> for Raised {
    fn from(error: Error) -> Self {
        if !Exception::is_value(&*error) {
            return Self::Error(error);
        }
        match error.into_located() {
            Ok(located) => match located.value.into_exception() {
                Ok(exception) => Self::Exception(exception),
                Err(value) => Self::Error(Error::from_located(LocatedError { value, ..located })),
            },
            Err(error) => Self::Error(error),
        }
    }
}
