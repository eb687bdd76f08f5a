use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{
    BoxError, ExceptionBody, Place,
    adopt::{Adopting, Read},
    interrupt::{catch_poll, quietly},
    settings::{Answered, Exchange, Guarded, Look, Sending},
    thrown::Thrown,
};

pin_project! {
    /// The future of [`ExceptionService`](crate::ExceptionService): a response, whatever happens.
    pub struct ResponseFuture<F, B, X> {
        #[pin]
        state: State<F, B>,
        exchange: X,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B> {
        /// The inner service is at work.
        Running { #[pin] future: F },
        /// It is done, and gone. What it came to is being answered.
        Done { left: Option<Box<Left<B>>> },
    }
}

/// What the inner service left to be dealt with.
enum Left<B> {
    /// It failed before it had a future.
    Thrown(Thrown),
    /// An error response, which is being read.
    Adopting(Adopting<B>),
}

impl<F, B, X> ResponseFuture<F, B, X> {
    #[inline]
    pub(crate) fn running(future: F, exchange: X) -> Self {
        Self {
            state: State::Running { future },
            exchange,
        }
    }

    #[cold]
    pub(crate) fn thrown(thrown: Thrown, exchange: X) -> Self {
        let left = Some(Box::new(Left::Thrown(thrown)));
        Self {
            state: State::Done { left },
            exchange,
        }
    }
}

impl<F, E, B, X> Future for ResponseFuture<F, B, X>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    X: Exchange,
{
    type Output = Result<Guarded<B, X>, Infallible>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let StateProjection::Running { future } = this.state.as_mut().project() else {
            return poll_done(this.state, this.exchange, cx);
        };
        let thrown = match catch_poll(cx, |cx| future.poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(response))) => {
                if this.exchange.looks() {
                    return poll_looking(this.state, this.exchange, response, cx);
                }
                let sending = this.exchange.end();
                let guard = |body| ExceptionBody::guard(body, sending);
                return Poll::Ready(Ok(response.map(guard)));
            }
            Ok(Poll::Ready(Err(error))) => Thrown::from_error(error, Place::Future),
            Err(payload) => Thrown::from_payload(payload, Place::Future),
        };
        drop_inner(this.state);
        this.exchange.answer(thrown, cx)
    }
}

/// The inner service is done. It is dropped before that is answered, so that it gives back what it holds.
fn drop_inner<F, B>(mut state: Pin<&mut State<F, B>>) {
    quietly(|| state.set(State::Done { left: None }));
}

/// The inner service has answered, and that is to be looked at.
fn poll_looking<F, B, X>(
    mut state: Pin<&mut State<F, B>>,
    exchange: &mut X,
    response: Response<B>,
    cx: &mut Context<'_>,
) -> Answered<B, X>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    X: Exchange,
{
    match exchange.look(response, cx) {
        Look::Pass(response) => {
            let mut sending = exchange.end();
            if sending.carrier().is_none() {
                let guard = |body| ExceptionBody::guard(body, sending);
                return Poll::Ready(Ok(response.map(guard)));
            }
            sending.see(response.headers());
            let guard = |body| ExceptionBody::guard_grpc(body, sending);
            Poll::Ready(Ok(response.map(guard)))
        }
        Look::Answer(answered) => {
            drop_inner(state);
            answered
        }
        Look::Adopt(adopting) => {
            let left = Some(Box::new(Left::Adopting(adopting)));
            quietly(|| state.set(State::Done { left }));
            poll_done(state, exchange, cx)
        }
    }
}

/// The inner service is done.
#[cold]
fn poll_done<F, B, X>(
    mut state: Pin<&mut State<F, B>>,
    exchange: &mut X,
    cx: &mut Context<'_>,
) -> Answered<B, X>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    X: Exchange,
{
    let StateProjection::Done { left } = state.as_mut().project() else {
        return exchange.poll(cx);
    };
    let read = match left.as_deref_mut() {
        Some(Left::Adopting(adopting)) => ready!(adopting.poll(cx)),
        Some(Left::Thrown(thrown)) => {
            let thrown = thrown.clone();
            *left = None;
            return exchange.answer(thrown, cx);
        }
        None => return exchange.poll(cx),
    };
    *left = None;
    match read {
        Read::Text(adopted) => exchange.answer_adopted(adopted, cx),
        Read::Raised(payload) => exchange.answer(Thrown::from_payload(payload, Place::Body), cx),
        Read::Other(response) => {
            let mut sending = exchange.end();
            sending.see(response.headers());
            let replay = |body| ExceptionBody::replay(body, sending);
            Poll::Ready(Ok(response.map(replay)))
        }
    }
}

impl<F, B, X> fmt::Debug for ResponseFuture<F, B, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
