//! An error with several owners.

use std::{error::Error, fmt, sync::Arc};

use super::{BoxError, LocatedError};

/// An error that has other owners, such as an observer. Its source is the error itself, so that a
/// search finds it.
#[derive(Clone, Debug)]
pub(crate) struct SharedError(Arc<dyn Error + Send + Sync>);

impl SharedError {
    pub(crate) fn new(error: Arc<dyn Error + Send + Sync>) -> Self {
        Self(error)
    }

    pub(super) fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        held(&self.0)
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
        Some(self.get_ref())
    }
}

/// Returns the error that `error` is, or that it holds with a location.
pub(crate) fn held(error: &Arc<dyn Error + Send + Sync>) -> &(dyn Error + Send + Sync + 'static) {
    match error.downcast_ref::<LocatedError>() {
        Some(located) => located.value.as_error(),
        None => &**error,
    }
}
