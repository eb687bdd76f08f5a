//! What the exceptions of both kinds have in common.

use std::{error::Error, fmt, panic::Location, sync::Arc};

use crate::BoxError;
#[cfg(feature = "websocket")]
use crate::raise::Mark;

/// What an exception holds: what it says, and where it comes from.
///
/// It is the exception's source too, as a note of where that was made, by which the exception is known again. For an
/// error that only stands for the one that it holds (`#[error(transparent)]`, an `anyhow::Error`, an `Arc<E>`) gives
/// that one's source for its own, and would hide the exception from whoever looks for it. The source that the
/// exception was given comes after the note.
#[derive(Clone)]
pub struct Inner<S> {
    pub says: S,
    pub source: Option<Arc<dyn Error + Send + Sync>>,
    pub location: &'static Location<'static>,
    /// Set while it unwinds.
    #[cfg(feature = "websocket")]
    pub mark: Mark,
}

impl<S> Inner<S> {
    #[track_caller]
    pub fn new(says: S) -> Self {
        Self {
            says,
            source: None,
            location: Location::caller(),
            #[cfg(feature = "websocket")]
            mark: Mark::default(),
        }
    }

    pub fn set_source(&mut self, source: impl Into<BoxError>) {
        self.source = Some(Arc::from(source.into()));
    }
}

impl<S> fmt::Debug for Inner<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<S> fmt::Display for Inner<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "made at {}", self.location)
    }
}

impl<S> Error for Inner<S> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}
