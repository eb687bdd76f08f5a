//! The `try` block for what async code raises.

use std::{
    fmt,
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::{
    poll::{catch_poll, downcast_payload},
    slot::{mark, poll_outside_of_layers},
};
use crate::{error::Error, panic_record::end_unwinding, unwind::ignore_panic};

/// Runs `future` and returns an exception or error that it raises, in whichever way it was raised:
/// a `try` block.
///
/// The returned [`Error`] downcasts to the type that was raised. Its
/// [`location`](Error::location) is the place at which an exception was made, or at which another
/// error was raised.
///
/// The future is dropped before the error is returned. A panic in its destructors is ignored, and
/// the error is returned all the same. A panic in the future itself is not caught. An error that
/// the future returns is part of its output.
///
/// [`catch_sync`](crate::catch_sync) does the same for a closure.
///
/// # Examples
///
/// ```
/// use tower_exception::{HttpException, catch};
///
/// async fn cached(id: u32) -> &'static str {
///     match id {
///         1 => "plumbus",
///         _ => HttpException::not_found("not in the cache").raise(),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let name = match catch(cached(2)).await {
///     Ok(name) => name,
///     Err(error) if error.is::<HttpException>() => "looked up",
///     // An error of another type goes on its way.
///     Err(error) => tower_exception::Raise::raise(error),
/// };
/// assert_eq!(name, "looked up");
/// # }
/// ```
pub fn catch<F: Future>(future: F) -> Catch<F> {
    let future = Some(future);
    Catch { future }
}

pin_project! {
    /// Future of [`catch()`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Catch<F> {
        #[pin]
        future: Option<F>,
    }
}

impl<F: Future> Future for Catch<F> {
    type Output = Result<F::Output, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.project().future;
        let Some(future) = slot.as_mut().as_pin_mut() else {
            panic!("`Catch` polled after it was ready");
        };
        let poll = |cx: &mut Context<'_>| future.poll(cx);
        match poll_outside_of_layers(cx, |cx| catch_poll(cx, poll)) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => match downcast_payload(payload) {
                Ok((raised, _)) => {
                    end_unwinding();
                    ignore_panic(|| slot.set(None));
                    Poll::Ready(Err(raised.into_error()))
                }
                Err(payload) => {
                    mark();
                    resume_unwind(payload)
                }
            },
        }
    }
}

impl<F> fmt::Debug for Catch<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catch").finish_non_exhaustive()
    }
}
