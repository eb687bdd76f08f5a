use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use super::slot;
use crate::{Exception, HttpException, WebSocketException};

impl HttpException {
    /// Raises the exception without unwinding, from any async code: await it, and nothing after it runs.
    ///
    /// The future that is given never ends. It leaves the exception where the
    /// [`ExceptionLayer`](crate::ExceptionLayer) (or [`catch`](crate::catch())) finds it as soon as its
    /// poll comes back, and that drops everything that was being awaited. Destructors run, as when a
    /// client goes away. It costs much less than [`raise`](Self::raise), which unwinds, however deep the
    /// call is. See the [guide](crate::docs::raising) for which to use when, and for what happens inside
    /// `select!`, `join!`, spawned tasks and streams.
    ///
    /// Its output is of any type, so that it can stand wherever a value is wanted:
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
    /// As a statement of its own the type is yours to name: `raise_async::<()>().await`, or simply
    /// `return ... .await`.
    ///
    /// # Panics
    ///
    /// It unwinds, as [`raise`](Self::raise) does, where the task that polls it is not the one that polls the
    /// layer: in a spawned task, in `FuturesUnordered`, under a nested `block_on`, under no layer at
    /// all. Compiled with `panic = "abort"`, where that would end the process, it stays pending there
    /// instead, and logs an error under the feature `tracing`.
    pub fn raise_async<T>(self) -> RaiseAsync<T> {
        RaiseAsync::new(Exception::Http(self))
    }
}

impl WebSocketException {
    /// Raises the exception without unwinding: see [`HttpException::raise_async`].
    pub fn raise_async<T>(self) -> RaiseAsync<T> {
        RaiseAsync::new(Exception::WebSocket(self))
    }
}

impl Exception {
    /// Raises the exception that this is without unwinding: see [`HttpException::raise_async`].
    pub fn raise_async<T>(self) -> RaiseAsync<T> {
        RaiseAsync::new(self)
    }
}

/// The future of [`HttpException::raise_async`]. It raises when it is first polled, and stays pending
/// ever after.
#[must_use = "nothing is raised until it is awaited"]
pub struct RaiseAsync<T> {
    exception: Option<Exception>,
    output: PhantomData<fn() -> T>,
}

impl<T> RaiseAsync<T> {
    fn new(exception: Exception) -> Self {
        Self {
            exception: Some(exception),
            output: PhantomData,
        }
    }
}

impl<T> Future for RaiseAsync<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(exception) = self.exception.take() {
            if let Err(exception) = slot::fill(cx, exception) {
                unwind(exception);
            }
        }
        Poll::Pending
    }
}

#[cfg(panic = "unwind")]
fn unwind(exception: Exception) {
    exception.raise();
}

/// There is no unwinding to fall back on. One request that never ends (and that a timeout can end) does
/// less harm than the end of the process, which every other request would share.
#[cfg(not(panic = "unwind"))]
fn unwind(exception: Exception) {
    crate::log::raised_for_nobody(&exception);
}

impl<T> fmt::Debug for RaiseAsync<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaiseAsync")
            .field("exception", &self.exception)
            .finish()
    }
}
