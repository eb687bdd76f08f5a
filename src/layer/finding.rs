//! Settings of what handlers find: the errors that others hide, and parts of the request.

use std::{error::Error, sync::Arc};

use super::ExceptionLayer;
use crate::{
    exchange::{Configured, LayerConfig},
    ids::Ids,
};

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
        self.configure(|handling| {
            Arc::make_mut(&mut handling.reveals).add(reveal);
            handling.reporting.types.add::<E>();
        })
    }

    /// Identifies each failure: an id connects the response that a client has with a line in the
    /// log.
    ///
    /// One id is
    ///
    /// - in the response: the header `x-request-id`, and `error_id` in the body
    ///   ([`Json`](crate::render::Json), [`Problem`](crate::render::Problem)) or a line at its end
    ///   ([`Html`](crate::render::Html), [`Text`](crate::render::Text));
    /// - in a gRPC status: the metadata `x-request-id` and, with the feature `tonic`, a
    ///   `RequestInfo`;
    /// - in the reason of a close frame with the code 1011 that has no other reason;
    /// - in the event of the feature `tracing`, as `tower_exception.id`;
    /// - in [`Caught::id`](crate::Caught::id), for handlers, observers and renderers.
    ///
    /// A handler's own response has the header only. [`Ids`] says where the id is from.
    ///
    /// Each request pays a look-up for each header that `ids` names, and if it has one, a clone and
    /// an allocation. An id is made only for a request that fails.
    ///
    /// ```
    /// use tower_exception::{Caught, ExceptionLayer, HttpException, Ids, Outcome};
    ///
    /// let layer = ExceptionLayer::new()
    ///     .identify(Ids::request_id().or_trace_id())
    ///     .on_any(|error: Caught| {
    ///         let id = error.id().unwrap_or("unknown").to_owned();
    ///         HttpException::internal_server_error(format!("please report the number {id}"))
    ///     })
    ///     .observe(|error: &Caught, _: Outcome| eprintln!("{:?} {error}", error.id()));
    /// ```
    pub fn identify(self, ids: Ids) -> ExceptionLayer<Configured> {
        self.change(|config| config.set_ids(ids))
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
