//! Error of a response body.

use std::{error::Error, fmt};

use super::{BoxError, SharedError};

/// Error of [`ExceptionBody`](crate::ExceptionBody).
///
/// It holds the error of the inner body, or the exception or panic that cut the body short.
/// `Display` and `Debug` are those of the held error. [`Error::source`] returns the held error, so
/// that code that searches a chain of sources for a type finds it.
///
/// # Examples
///
/// ```
/// use tower_exception::{BodyError, HttpException};
///
/// /// Returns whether an exception cut the body short.
/// fn is_exception(error: &BodyError) -> bool {
///     error.get_ref().is::<HttpException>()
/// }
/// ```
pub struct BodyError(BoxError);

impl BodyError {
    /// Wraps `error`, unless it is a `BodyError`, which the body of a nested layer has returned.
    pub(crate) fn new(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => Self(error),
        }
    }

    /// Returns the held error.
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        match self.0.downcast_ref::<SharedError>() {
            Some(shared) => shared.get_ref(),
            None => &*self.0,
        }
    }

    /// Returns the held error, by value.
    ///
    /// The layer shares an error of the inner body with those that it reports to. The returned
    /// error then cannot be downcast to the type of the inner body's error, but its
    /// [source](Error::source) can. [`get_ref`](Self::get_ref) finds the type in both cases.
    pub fn into_inner(self) -> Box<dyn Error + Send + Sync> {
        self.0
    }
}

impl fmt::Debug for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.get_ref(), f)
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.get_ref(), f)
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.get_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::SoldOut, *};

    #[test]
    fn a_body_error_reads_like_the_error_that_it_holds() {
        let error = BodyError::new(SoldOut.into());
        assert_eq!(error.to_string(), "sold out");
        assert_eq!(format!("{error:?}"), "SoldOut");
        assert!(error.source().unwrap().is::<SoldOut>());
        assert!(error.get_ref().is::<SoldOut>());
        assert!(error.into_inner().is::<SoldOut>());
    }

    #[test]
    fn a_body_error_of_a_nested_layer_is_not_wrapped_again() {
        let inner = BodyError::new(SoldOut.into());
        let outer = BodyError::new(inner.into());
        assert!(outer.get_ref().is::<SoldOut>());
    }
}
