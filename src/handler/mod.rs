#![doc = include_str!("../docs/handlers.md")]

mod reply;
mod reply_body;
#[cfg(feature = "axum")]
mod response_type;
mod status_range;
pub(crate) mod table;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    thread,
};

#[cfg(feature = "axum")]
pub(crate) use self::reply::Declined;
pub(crate) use self::{
    reply::{HandlerResponse, ReplyKind},
    reply_body::ReplyBody,
};
pub use self::{
    reply::{IntoReply, Reply},
    status_range::StatusRange,
};

use crate::{caught::Caught, raise::poll::catch_poll};

/// Function from a failure to a reply: sync or async, a closure or a `fn`.
///
/// It takes one argument, [`Caught<E>`](Caught), and returns [a reply](IntoReply) or a future of
/// one. The compiler reads `E` from the argument, so a closure names the type of its argument.
///
/// # About the type parameter `M`
///
/// `M` is a marker that no code ever names. A function from `Caught<E>` to a reply and one to a
/// future of a reply would be two overlapping implementations of one trait. With a marker each,
/// they are implementations of two traits, and the compiler infers which of them applies.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of failures",
    label = "not a function from `Caught<E>` to a reply",
    note = "a handler takes one argument by value: `|error: Caught<MyError>| ..` in `on`, `Caught<HttpException>` in `on_status`, `Caught<Panic>` in `on_panic`, `Caught` in `on_any`",
    note = "the error itself is `*error` or `error.error()`, and the request is `error.request()`",
    note = "it returns an exception, a `StatusCode`, a `tower_exception::Error`, an `http::Response`, or with the feature `axum` anything that is `IntoResponse`: see `IntoReply`",
    note = "to leave the failure to the next handler, return `Reply::decline()` or `()` in place of an `Option`",
    note = "an async handler returns a future of such a reply, and the future is `Send`"
)]
pub trait Handler<E: ?Sized, M>: Send + Sync + 'static {
    #[doc(hidden)]
    fn handle(&self, caught: Caught<E>) -> private::HandlerOutput;
}

#[diagnostic::do_not_recommend]
impl<F, E, R> Handler<E, private::Sync<R>> for F
where
    F: Fn(Caught<E>) -> R + Send + Sync + 'static,
    E: ?Sized,
    R: IntoReply,
{
    fn handle(&self, caught: Caught<E>) -> HandlerOutput {
        HandlerOutput::Ready(self(caught).into_reply())
    }
}

#[diagnostic::do_not_recommend]
impl<F, E, Fut> Handler<E, private::Async<Fut>> for F
where
    F: Fn(Caught<E>) -> Fut + Send + Sync + 'static,
    E: ?Sized,
    Fut: Future<Output: IntoReply> + Send + 'static,
{
    fn handle(&self, caught: Caught<E>) -> HandlerOutput {
        let reply = self(caught);
        HandlerOutput::Pending(Box::pin(async move { reply.await.into_reply() }))
    }
}

pub(crate) use self::private::HandlerOutput;

/// The future of an async handler's reply.
pub(crate) type PendingReply = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// Polls an async handler, and catches what it raises.
pub(crate) fn poll_reply(
    reply: &mut PendingReply,
    cx: &mut Context<'_>,
) -> Poll<thread::Result<Reply>> {
    match catch_poll(cx, |cx| reply.as_mut().poll(cx)) {
        Ok(reply) => reply.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    }
}

mod private {
    use super::{PendingReply, Reply};

    /// The reply of a handler, or a future of one.
    pub enum HandlerOutput {
        Ready(Reply),
        Pending(PendingReply),
    }

    /// The marker of sync handlers.
    pub struct Sync<R>(R);

    /// The marker of async handlers.
    pub struct Async<F>(F);
}
