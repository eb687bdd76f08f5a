use std::{future::Future, pin::Pin};

use super::reply::{IntoReply, Reply};
use crate::Caught;

/// A function from what was caught to a reply: sync or async, a closure or a `fn`.
///
/// It takes one argument, [`Caught<E>`](Caught), and returns [what is a reply](IntoReply) or a future
/// of it. `E` is read off the argument, so a closure names its argument's type. `M` only tells the
/// sync functions from the async ones, and is never named.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of exceptions",
    label = "not a function from `Caught<E>` to a reply",
    note = "a handler is a function of one argument, `Caught<E>`, that returns a reply or a future of a reply",
    note = "a closure names the type of its argument: `|error: Caught<MyError>| ...`",
    note = "what is a reply is listed in the docs of `IntoReply`"
)]
pub trait Handler<E: ?Sized, M>: Send + Sync + 'static {
    #[doc(hidden)]
    fn handle(&self, caught: Caught<E>) -> Handled;
}

/// What a handler came to: a reply, or a future of one.
pub enum Handled {
    Now(Reply),
    Later(Pin<Box<dyn Future<Output = Reply> + Send>>),
}

/// The `M` of sync handlers.
pub struct AtOnce<R>(R);

/// The `M` of async handlers.
pub struct Later<F>(F);

impl<F, E, R> Handler<E, AtOnce<R>> for F
where
    F: Fn(Caught<E>) -> R + Send + Sync + 'static,
    E: ?Sized,
    R: IntoReply,
{
    fn handle(&self, caught: Caught<E>) -> Handled {
        Handled::Now(self(caught).into_reply())
    }
}

impl<F, E, Fut> Handler<E, Later<Fut>> for F
where
    F: Fn(Caught<E>) -> Fut + Send + Sync + 'static,
    E: ?Sized,
    Fut: Future<Output: IntoReply> + Send + 'static,
{
    fn handle(&self, caught: Caught<E>) -> Handled {
        let reply = self(caught);
        Handled::Later(Box::pin(async move { reply.await.into_reply() }))
    }
}
