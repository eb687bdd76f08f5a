//! Raising an exception without unwinding.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use super::{raised::Raised, slot};
#[cfg(not(panic = "unwind"))]
use crate::diagnostics;
use crate::exception::{Exception, HttpException, WebSocketException};

impl HttpException {
    /// Raises the exception without unwinding, from any async code: await the returned future, and
    /// no code after it runs.
    ///
    /// The future never completes. It leaves the exception for the
    /// [`ExceptionLayer`](crate::ExceptionLayer) or [`catch`](crate::catch()), which takes it as
    /// soon as the current poll returns. The layer then drops everything that was being awaited.
    /// Destructors run, as when a client disconnects.
    ///
    /// It costs much less than [`raise`](Self::raise), which unwinds, at any depth of calls. See
    /// the [guide](crate::raise) for which of the two to use, and for what happens inside
    /// `select!`, `join!`, spawned tasks and streams.
    ///
    /// # Panics
    ///
    /// The future unwinds, as [`raise`](Self::raise) does, if the task that polls it is not the one
    /// that polls the layer: in a spawned task, in `FuturesUnordered`, under a nested `block_on`,
    /// under no layer at all. Compiled with `panic = "abort"`, unwinding would end the process. The
    /// future then stays pending instead, and an error is logged if the feature `tracing` is on.
    ///
    /// # Examples
    ///
    /// The output is of any type, so that the future can stand for any value:
    ///
    /// ```
    /// use tower_exception::{HttpException, catch};
    ///
    /// async fn price(item: &str) -> u32 {
    ///     match item {
    ///         "plumbus" => 42,
    ///         _ => HttpException::not_found("Item not found").raise_async().await,
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// assert_eq!(catch(price("plumbus")).await.unwrap(), 42);
    /// assert_eq!(catch(price("grumbo")).await.unwrap_err().to_string(), "404: Item not found");
    /// # }
    /// ```
    ///
    /// A statement has to name the type: `raise_async::<()>().await`, or simply
    /// `return ... .await`.
    pub fn raise_async<T>(self) -> RaiseAsync<T> {
        RaiseAsync::new(Exception::Http(self).into())
    }
}

impl WebSocketException {
    /// Raises the exception without unwinding: see [`HttpException::raise_async`].
    pub fn raise_async<T>(self) -> RaiseAsync<T> {
        RaiseAsync::new(Exception::WebSocket(self).into())
    }
}

impl Exception {
    /// Raises the [`HttpException`] or [`WebSocketException`] without unwinding: see
    /// [`HttpException::raise_async`].
    pub fn raise_async<T>(self) -> RaiseAsync<T> {
        RaiseAsync::new(self.into())
    }
}

/// Future of [`HttpException::raise_async`] and [`Raise::raise_async`](crate::Raise::raise_async).
///
/// It raises the exception or error when it is first polled, and never completes.
#[must_use = "an exception is not raised until the future is awaited"]
pub struct RaiseAsync<T> {
    raised: Option<Raised>,
    output: PhantomData<fn() -> T>,
}

impl<T> RaiseAsync<T> {
    pub(super) fn new(raised: Raised) -> Self {
        Self {
            raised: Some(raised),
            output: PhantomData,
        }
    }
}

impl<T> Future for RaiseAsync<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(raised) = self.raised.take() {
            if let Err(raised) = slot::fill(cx, raised) {
                unwind(raised);
            }
        }
        Poll::Pending
    }
}

#[cfg(panic = "unwind")]
use super::unwind;

/// Reports the error, since it cannot unwind. One request that never completes, and that a timeout
/// can end, is less harm than the end of the process, which all other requests share.
#[cfg(not(panic = "unwind"))]
fn unwind(raised: Raised) {
    let error = raised.into_error();
    diagnostics::raised_uncaught(&error, error.location());
}

impl<T> fmt::Debug for RaiseAsync<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaiseAsync")
            .field("raised", &self.raised)
            .finish()
    }
}
