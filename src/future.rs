use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{
    BoxError, ExceptionBody,
    answer::{answer, pass},
    interrupt::{catch_poll, quietly},
    settings::Exchange,
    thrown::Thrown,
};

pin_project! {
    /// The future of [`ExceptionService`](crate::ExceptionService): a response, whatever happens.
    pub struct ResponseFuture<F, X> {
        #[pin]
        state: State<F>,
        exchange: X,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Running { #[pin] future: F },
        Thrown { thrown: Option<Thrown> },
    }
}

impl<F, X> ResponseFuture<F, X> {
    #[inline]
    pub(crate) fn running(future: F, exchange: X) -> Self {
        Self {
            state: State::Running { future },
            exchange,
        }
    }

    #[cold]
    pub(crate) fn thrown(thrown: Thrown, exchange: X) -> Self {
        let thrown = Some(thrown);
        Self {
            state: State::Thrown { thrown },
            exchange,
        }
    }
}

impl<F, E, B, X> Future for ResponseFuture<F, X>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    X: Exchange,
{
    type Output = Result<Response<ExceptionBody<B>>, Infallible>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let thrown = match this.state.as_mut().project() {
            StateProjection::Running { future } => match catch_poll(cx, |cx| future.poll(cx)) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(response))) => {
                    return Poll::Ready(Ok(pass(response, this.exchange)));
                }
                Ok(Poll::Ready(Err(error))) => Thrown::from_error(error),
                Err(payload) => Thrown::from_payload(payload),
            },
            StateProjection::Thrown { thrown } => match thrown.take() {
                Some(thrown) => thrown,
                None => panic!("`ResponseFuture` polled after it was ready"),
            },
        };
        // What failed is dropped before it is answered, so that it gives back what it holds.
        quietly(|| this.state.set(State::Thrown { thrown: None }));
        Poll::Ready(Ok(answer(thrown, this.exchange)))
    }
}

impl<F, X> fmt::Debug for ResponseFuture<F, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
