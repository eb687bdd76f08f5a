//! What a layer was told, and what that makes it keep of each request.
//!
//! The two kinds are two types, so that a layer that was told nothing carries nothing: neither a
//! shared configuration nor the head of a request is in its futures and bodies.

mod custom;
mod plain;

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;

pub(crate) use custom::Config;
pub use custom::Custom;
pub use plain::{Plain, PlainSending};

use crate::{
    BoxError, ExceptionBody,
    adopt::{Adopted, Adopting},
    thrown::Thrown,
};

/// What an [`ExceptionLayer`](crate::ExceptionLayer) was told: nothing ([`Plain`]), or anything
/// ([`Custom`]).
pub trait Settings: Clone {
    #[doc(hidden)]
    type Exchange: Exchange;

    #[doc(hidden)]
    fn exchange<B>(&self, request: &Request<B>) -> Self::Exchange;

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

    /// The head of the response, with these headers, goes out, and nothing else is asked of the exchange.
    fn end(&mut self, head: &HeaderMap) -> Self::Sending;
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
