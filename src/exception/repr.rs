//! Contents of an exception, which both kinds share.

#[cfg(feature = "websocket")]
use std::any::Any;
use std::{error::Error, fmt, panic::Location, sync::Arc};

use crate::error::BoxError;

/// Contents of an exception: what its kind has, its source, and the place of its creation.
///
/// As an error, the contents are a note of that place, and the [`source`](Error::source) of their
/// exception. The note identifies the exception if an error hides it. An error that only stands for
/// the one that it holds (`#[error(transparent)]`, an `anyhow::Error`, an `Arc<E>`) returns that
/// one's source as its own. A search of the chain of sources then meets the note in place of the
/// exception. The source that the exception was created with comes after the note.
#[derive(Clone)]
pub(crate) struct ExceptionImpl<K> {
    pub(super) kind: K,
    pub(super) source: Option<Arc<dyn Error + Send + Sync>>,
    pub(super) location: &'static Location<'static>,
    /// Set while the exception unwinds.
    #[cfg(feature = "websocket")]
    pub(super) unwind_token: UnwindToken,
}

impl<K> ExceptionImpl<K> {
    #[track_caller]
    pub(super) fn new(kind: K) -> Self {
        Self::at(kind, Location::caller())
    }

    pub(super) fn at(kind: K, location: &'static Location<'static>) -> Self {
        Self {
            kind,
            source: None,
            location,
            #[cfg(feature = "websocket")]
            unwind_token: UnwindToken::default(),
        }
    }

    /// Returns what `Debug` shows of the source: only whether there is one.
    pub(super) fn debug_source(&self) -> Option<Hidden> {
        self.source.as_ref().map(|_| Hidden)
    }

    pub(super) fn set_source(&mut self, source: impl Into<BoxError>) {
        self.source = Some(Arc::from(source.into()));
    }
}

impl<K: 'static> ExceptionImpl<K> {
    /// Returns the contents of the exception `E` that `error` itself is, or is the note of.
    pub(super) fn of<'a, E>(error: &'a (dyn Error + 'static)) -> Option<&'a Self>
    where
        E: Error + 'static,
    {
        match error.is::<E>() {
            true => error.source()?.downcast_ref(),
            false => error.downcast_ref(),
        }
    }
}

impl<K> fmt::Debug for ExceptionImpl<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K> fmt::Display for ExceptionImpl<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "created at {}", self.location)
    }
}

impl<K> Error for ExceptionImpl<K> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

/// Stands in `Debug` for a value whose text may be secret.
pub(super) struct Hidden;

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// Owner of what is remembered about an exception while the exception unwinds.
///
/// A clone of the token is empty: a copy of the exception does not unwind.
#[cfg(feature = "websocket")]
#[derive(Default)]
pub(crate) struct UnwindToken {
    _owned: Option<Box<dyn Any + Send + Sync>>,
}

#[cfg(feature = "websocket")]
impl UnwindToken {
    pub(crate) fn new(owned: Box<dyn Any + Send + Sync>) -> Self {
        Self {
            _owned: Some(owned),
        }
    }
}

#[cfg(feature = "websocket")]
impl Clone for UnwindToken {
    fn clone(&self) -> Self {
        Self::default()
    }
}
