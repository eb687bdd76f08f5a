//! Settings of what handlers find: the errors that others hide, and parts of the request.

use std::{error::Error, sync::Arc};

use super::ExceptionLayer;
use crate::exchange::{Configured, LayerConfig};

/// Configuration of what a handler finds.
impl<C: LayerConfig> ExceptionLayer<C> {
    /// Opens errors of the type `E`, which only stand for another one.
    ///
    /// An error that is `#[error(transparent)]` in the words of `thiserror`, or that has no
    /// `source`, hides the error that it holds from every search. `reveal` returns the held error.
    /// Handlers find it then, and so do the layer's defaults: an exception is rendered, a timeout
    /// is a 504. If `reveal` returns `None`, the error's own source comes next, as without it.
    ///
    /// ```
    /// use std::io;
    /// use tower_exception::{Caught, ExceptionLayer, HttpException};
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// enum AppError {
    ///     #[error(transparent)]
    ///     Disk(#[from] io::Error),
    ///     #[error("sold out")]
    ///     SoldOut,
    /// }
    ///
    /// let layer = ExceptionLayer::new()
    ///     .reveal(|error: &AppError| match error {
    ///         AppError::Disk(error) => Some(error),
    ///         AppError::SoldOut => None,
    ///     })
    ///     .on(|_: Caught<io::Error>| HttpException::bad_gateway("the disk does not respond"));
    /// ```
    pub fn reveal<E, F>(self, reveal: F) -> ExceptionLayer<Configured>
    where
        E: Error + Send + Sync + 'static,
        F: for<'a> Fn(&'a E) -> Option<&'a (dyn Error + 'static)> + Send + Sync + 'static,
    {
        self.configure(|handling| Arc::make_mut(&mut handling.reveals).add(reveal))
    }

    /// Captures an extension of every request, for handlers, observers and renderers:
    /// [`RequestHead::get`](crate::RequestHead::get).
    ///
    /// Use it for what layers further out and the server have put there: a user, a request id,
    /// axum's `MatchedPath`, `OriginalUri` or `ConnectInfo`. axum sets `MatchedPath` after it has
    /// routed the request, so that a layer of the `Router` has it and one around the server has
    /// not.
    ///
    /// Each request pays one look-up, and one clone if it has the extension, whether it fails or
    /// not. A large value belongs in an `Arc`.
    ///
    /// ```
    /// use axum::extract::{MatchedPath, OriginalUri};
    /// use tower_exception::{Caught, ExceptionLayer, Outcome};
    ///
    /// let layer = ExceptionLayer::new()
    ///     .capture::<MatchedPath>()
    ///     .capture::<OriginalUri>()
    ///     .observe(|caught: &Caught, outcome: Outcome| {
    ///         let request = caught.request();
    ///         let route = request.get::<MatchedPath>().map(MatchedPath::as_str);
    ///         // Without the prefixes stripped that nested routers strip.
    ///         let uri = request.get::<OriginalUri>().map(|original| &original.0);
    ///         eprintln!("{route:?} {uri:?}: {caught} -> {outcome:?}");
    ///     });
    /// ```
    pub fn capture<T: Clone + Send + Sync + 'static>(self) -> ExceptionLayer<Configured> {
        self.change(|config| config.captures.get_or_insert_default().add::<T>())
    }

    /// Captures the headers of every request, for handlers, observers and renderers:
    /// [`RequestHead::headers`](crate::RequestHead::headers).
    ///
    /// They are cloned for every request, whether it fails or not.
    pub fn capture_headers(self) -> ExceptionLayer<Configured> {
        self.change(|config| config.captures.get_or_insert_default().headers = true)
    }
}
