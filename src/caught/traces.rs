//! Traces of a failure: the calls and the spans in which it has arisen.

use std::backtrace::Backtrace;

use super::Caught;

impl<E: ?Sized> Caught<E> {
    /// Returns the backtrace of a [panic](crate::Panic::backtrace), or the outermost one that a
    /// report of anyhow in the chain of sources has captured (feature `anyhow`), if there is one.
    ///
    /// [`panics::frames`](crate::panics::frames) reads its frames.
    pub fn backtrace(&self) -> Option<&Backtrace> {
        self.failure().backtrace()
    }

    /// Returns the spans in which the failure has arisen, if an error in the chain of sources has
    /// them: one that `tracing_error`'s `in_current_span` has made, below its `ErrorLayer`.
    ///
    /// Such an error hides the type of the error that it wraps from handlers. A panic has no spans.
    ///
    /// ```
    /// use tower_exception::{Caught, ExceptionLayer};
    ///
    /// let layer = ExceptionLayer::new().observe(|caught: &Caught, _| {
    ///     if let Some(spans) = caught.span_trace() {
    ///         eprintln!("{caught}\n{spans}");
    ///     }
    /// });
    /// ```
    #[cfg(feature = "tracing-error")]
    pub fn span_trace(&self) -> Option<&tracing_error::SpanTrace> {
        self.failure().span_trace()
    }
}
