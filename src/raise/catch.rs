use std::{
    fmt,
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{
    Exception,
    interrupt::{catch_poll, exception_in, quietly},
};

/// Runs `future`, and gives what it raised as an error, however it was raised: a `try` block.
///
/// What the future has of its own is dropped before the error is given, and where that panics, the exception
/// comes out all the same. A plain panic goes through. An
/// error that the future returns is its output like any other.
///
/// ```
/// use tower_exception::{Exception, HttpException, catch};
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
///     Err(Exception::Http(exception)) if exception.status() == 404 => "looked up",
///     Err(exception) => panic!("{exception}"),
/// };
/// assert_eq!(name, "looked up");
/// # }
/// ```
pub fn catch<F: Future>(future: F) -> Catch<F> {
    let future = Some(future);
    Catch { future }
}

pin_project! {
    /// The future of [`catch()`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Catch<F> {
        #[pin]
        future: Option<F>,
    }
}

impl<F: Future> Future for Catch<F> {
    type Output = Result<F::Output, Exception>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.project().future;
        let Some(future) = slot.as_mut().as_pin_mut() else {
            panic!("`Catch` polled after it was ready");
        };
        match catch_poll(cx, |cx| future.poll(cx)) {
            Ok(poll) => Poll::Ready(Ok(ready!(poll))),
            Err(payload) => match exception_in(payload) {
                Ok((exception, _)) => {
                    quietly(|| slot.set(None));
                    Poll::Ready(Err(exception))
                }
                Err(payload) => resume_unwind(payload),
            },
        }
    }
}

impl<F> fmt::Debug for Catch<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catch").finish_non_exhaustive()
    }
}
