//! Errors that only stand for another one, opened by the user's functions.

use std::{error::Error, iter, sync::Arc};

use crate::error::{MAX_SOURCES, find, source};

/// Functions of the user that open errors which hide the one that they hold.
#[derive(Clone, Default)]
pub(crate) struct Reveals(Vec<Arc<Reveal>>);

type Reveal =
    dyn for<'a> Fn(&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> + Send + Sync;

impl Reveals {
    pub(crate) fn add<E, F>(&mut self, reveal: F)
    where
        E: Error + Send + Sync + 'static,
        F: for<'a> Fn(&'a E) -> Option<&'a (dyn Error + 'static)> + Send + Sync + 'static,
    {
        self.0.push(Arc::new(move |error| reveal(find(error)?)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns `error`, the error that it reveals or otherwise its source, and so on.
    pub(super) fn sources<'a>(
        &'a self,
        error: &'a (dyn Error + 'static),
    ) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
        iter::successors(Some(error), |error| {
            let revealed = self.0.iter().find_map(|reveal| reveal(*error));
            revealed.or_else(|| source(*error))
        })
        .take(MAX_SOURCES)
    }
}
