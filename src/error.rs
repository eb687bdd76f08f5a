//! Boxed errors, their chain of sources, and the error of a response body.

use std::{error::Error, fmt, io, iter, sync::Arc};

/// Any error on its way to the layer.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Maximum number of errors in a chain of sources.
///
/// An error whose `source` leads back to itself must not occupy a request forever. Chains of real
/// errors are an order of magnitude shorter.
pub(crate) const MAX_SOURCES: usize = 128;

/// Returns `error`, its source, the source of that source and so on: the outermost error first.
pub(crate) fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error| source(*error)).take(MAX_SOURCES)
}

/// Returns the error next to `error` in the chain of sources.
fn source<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    // `io::Error::source` returns the source of the error that the `io::Error` holds, and so skips
    // the held error.
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(held) => Some(held),
        None => error.source(),
    }
}

/// An error that has other owners, such as an observer. Its source is the error itself, so that a
/// search finds it.
#[derive(Debug)]
pub(crate) struct SharedError(Arc<dyn Error + Send + Sync>);

impl SharedError {
    pub(crate) fn new(error: Arc<dyn Error + Send + Sync>) -> Self {
        Self(error)
    }

    /// Shares `error`, unless it is shared already, which an error of a nested layer may be.
    pub(crate) fn share(error: BoxError) -> Arc<dyn Error + Send + Sync> {
        match error.downcast::<Self>() {
            Ok(shared) => shared.0,
            Err(error) => Arc::from(error),
        }
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for SharedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

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
            Some(shared) => &*shared.0,
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
    use super::*;

    #[derive(Debug)]
    struct SoldOut;

    impl fmt::Display for SoldOut {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("sold out")
        }
    }

    impl Error for SoldOut {}

    #[test]
    fn an_io_error_does_not_hide_the_error_that_it_holds() {
        let error = io::Error::other(io::Error::other(SoldOut));
        let found = sources(&error).find_map(|error| error.downcast_ref::<SoldOut>());
        assert_eq!(found.unwrap().to_string(), "sold out");
    }

    #[test]
    fn the_chain_of_a_cyclic_error_ends() {
        #[derive(Debug)]
        struct Ouroboros;
        impl fmt::Display for Ouroboros {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("again")
            }
        }
        impl Error for Ouroboros {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(self)
            }
        }
        assert_eq!(sources(&Ouroboros).count(), MAX_SOURCES);
    }

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
