//! What a layer was told, and what that makes it keep of each request.
//!
//! The two kinds are two types, so that a layer that was told nothing carries nothing: neither a
//! shared configuration nor the head of a request is in its futures and bodies.

mod config;
mod custom;
mod kept;
mod plain;
mod upgrading;

use std::{
    convert::Infallible,
    future::poll_fn,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;

pub(crate) use config::Config;
pub use custom::Custom;
#[cfg(feature = "websocket")]
pub(crate) use kept::Kept;
pub use plain::{Plain, PlainSending};

use crate::{
    BoxError, ExceptionBody,
    adopt::{Adopted, Adopting},
    grpc::{self, Carrier, Trailers},
    interrupt::quietly,
    thrown::Thrown,
};

/// What an [`ExceptionLayer`](crate::ExceptionLayer) was told: nothing ([`Plain`]), or anything
/// ([`Custom`]).
pub trait Settings: Clone {
    #[doc(hidden)]
    type Exchange: Exchange;

    #[doc(hidden)]
    fn exchange<B>(&self, request: &mut Request<B>) -> Self::Exchange;

    #[doc(hidden)]
    fn into_custom(self) -> Custom;
}

/// One request, and what is kept of it until it is answered.
pub trait Exchange: Sized {
    /// What is kept while the response's body is sent.
    type Sending: Sending;

    /// Whether the response is [looked at](Self::look) before it is passed on.
    fn looks(&self) -> bool;

    /// Looks at what the inner service answered.
    fn look<B: Body<Data = Bytes>>(
        &mut self,
        response: Response<B>,
        cx: &mut Context<'_>,
    ) -> Look<B, Self>;

    /// Answers what was caught. Where that is pending, it is gone on with by [`poll`](Self::poll).
    fn answer<B>(&mut self, thrown: Thrown, cx: &mut Context<'_>) -> Answered<B, Self>;

    /// Answers an error response that was read to its end, likewise.
    fn answer_adopted<B>(&mut self, adopted: Adopted, cx: &mut Context<'_>) -> Answered<B, Self>;

    /// Goes on with an async handler.
    fn poll<B>(&mut self, cx: &mut Context<'_>) -> Answered<B, Self>;

    /// The head of the response goes out, and nothing else is asked of the exchange.
    fn end(&mut self) -> Self::Sending;
}

/// What a layer's future gives.
pub type Answered<B, X> = Poll<Result<Guarded<B, X>, Infallible>>;

/// A response whose body is under a guard.
pub type Guarded<B, X> = Response<ExceptionBody<B, <X as Exchange>::Sending>>;

/// A response whose head is out.
pub trait Sending {
    /// Something was raised in the body: gives the error that the body ends with.
    fn cut_short(&self, thrown: Thrown) -> BoxError;

    /// The body gave an error, which is given on.
    fn failed(&self, error: BoxError) -> BoxError;

    /// The response has this head. Nothing has to be seen of one that was not looked at.
    fn see(&mut self, head: &HeaderMap);

    /// How the response carries messages and a status, where it is gRPC's.
    fn carrier(&self) -> Option<Carrier>;

    /// Answers what was raised in the body of such a response, as it would have been answered before.
    fn trailers(&self, thrown: Thrown) -> Trailers;
}

/// The trailers of the answer that `exchange`, which is gRPC's, has for `thrown`.
fn trailers_of<X: Exchange + Send + 'static>(mut exchange: X, thrown: Thrown) -> Trailers {
    let mut thrown = Some(thrown);
    Box::pin(poll_fn(move |cx| {
        let answered: Answered<Infallible, X> = match thrown.take() {
            Some(thrown) => exchange.answer(thrown, cx),
            None => exchange.poll(cx),
        };
        let Ok(response) = ready!(answered);
        let (head, body) = response.into_parts();
        quietly(|| drop(body));
        Poll::Ready(grpc::into_trailers(head.headers))
    }))
}

/// What is said to whoever polls a future that is done.
const OVER: &str = "`ResponseFuture` polled after it was ready";

/// What comes of a response.
pub enum Look<B, X: Exchange> {
    /// It goes out.
    Pass(Response<B>),
    /// Another one goes out in its place.
    Answer(Answered<B, X>),
    /// It may be an error response to adopt: its body is to be read first.
    Adopt(Adopting<B>),
}

/// The body of a response that the layer or a handler has made.
pub enum AnswerBody {
    Rendered(Bytes),
    Replied(UnsyncBoxBody<Bytes, BoxError>),
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> Self {
        Self::Rendered(bytes)
    }
}
