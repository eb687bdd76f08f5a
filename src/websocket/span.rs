//! The `tracing` span of the request that has asked for a WebSocket.
//!
//! After the handshake the layer closes the connection in a task of its own. Events, handlers and
//! observers run there, and have to be in the span of their request all the same.

use std::future::Future;

/// Span of a request, if the feature `tracing` is on.
#[derive(Clone)]
pub(crate) struct RequestSpan {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl RequestSpan {
    /// Returns the span that this thread is in.
    pub(crate) fn current() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::Span::current(),
        }
    }

    /// Changes to the span that this thread is in, if it is in one.
    ///
    /// A middleware that instruments the response future, but not the call that returns it, is in
    /// its span only when the future is polled.
    pub(crate) fn update(&mut self) {
        #[cfg(feature = "tracing")]
        {
            let span = tracing::Span::current();
            if !span.is_none() {
                self.span = span;
            }
        }
    }

    /// Runs `code` in the span.
    pub(crate) fn run<T>(&self, code: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        return self.span.in_scope(code);
        #[cfg(not(feature = "tracing"))]
        code()
    }

    /// Runs each poll of `future` in the span.
    pub(crate) fn instrument<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        #[cfg(feature = "tracing")]
        return tracing::Instrument::instrument(future, self.span);
        #[cfg(not(feature = "tracing"))]
        future
    }
}
