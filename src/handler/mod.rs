#![doc = include_str!("../docs/handlers.md")]

mod reply;
pub(crate) mod table;

use std::{future::Future, pin::Pin};

pub(crate) use self::reply::ReplyKind;
pub use self::reply::{IntoReply, Reply};

use crate::caught::Caught;

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
    note = "a handler is a function of one argument, `Caught<E>`, that returns a reply or a future of a reply",
    note = "a closure names the type of its argument: `|error: Caught<MyError>| ...`",
    note = "the docs of `IntoReply` list the types that are replies"
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
