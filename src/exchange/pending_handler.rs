//! A failure in the hands of its handlers, sync or async.

use std::{
    task::{Context, Poll},
    thread,
};

use http::{Response, response::Parts};

use super::{
    AnswerBody,
    attached::{Rendering, mark_final},
    pending_report::PendingReport,
};
use crate::{
    caught::{Caught, Subject},
    handler::{HandlerOutput, PendingReply, Reply, poll_reply, table::ErasedHandler},
    handling::RequestContext,
    raise::slot::is_inside_a_scope,
    render::response::empty_response,
    report::{Outcome, leave_note},
    unwind::{contain, ignore_panic},
    websocket::Upgrade,
};

/// A failure that handlers are asked for a reply to.
pub(super) struct HandledFailure {
    pub(super) caught: Caught,
    /// `None` if no response carried the failure.
    pub(super) parts: Option<Box<ResponseParts>>,
    /// Number of handlers that were asked.
    pub(super) asked: usize,
}

/// Parts of a response that carried a failure, or was adopted.
#[derive(Default)]
pub(super) struct ResponseParts {
    /// The head, if the response is replaced.
    pub(super) head: Option<Parts>,
    /// The rendering in the response, while that response is held back.
    pub(super) rendering: Option<Rendering>,
    /// The report that an inner layer has left.
    pub(super) inner: Option<PendingReport>,
}

/// An async handler that was asked, and the failure.
pub(super) struct PendingHandler {
    reply: PendingReply,
    failure: HandledFailure,
}

/// Result of asking the handlers of a failure.
pub(super) enum Asked {
    Replied(HandledFailure, thread::Result<Reply>),
    /// Every handler has declined.
    Declined(HandledFailure),
    /// An async handler has not replied yet.
    Pending(Box<PendingHandler>),
}

impl HandledFailure {
    pub(super) fn new(caught: Caught, parts: Option<ResponseParts>) -> Self {
        Self {
            caught,
            parts: parts.map(Box::new),
            asked: 0,
        }
    }

    /// Asks `next` for a reply, and then the other handlers of the failure, until one replies.
    pub(super) fn ask<'a>(
        mut self,
        context: &'a RequestContext,
        mut next: Option<(&'a ErasedHandler, Subject)>,
        cx: &mut Context<'_>,
    ) -> Asked {
        while let Some((handler, handled)) = next {
            self.asked += 1;
            let reply = match contain(|| handler(&self.caught, handled)) {
                Ok(HandlerOutput::Ready(reply)) => Ok(reply),
                Ok(HandlerOutput::Pending(reply)) => {
                    let pending = PendingHandler {
                        reply,
                        failure: self,
                    };
                    return Box::new(pending).poll(context, cx);
                }
                Err(payload) => Err(payload),
            };
            match reply {
                Ok(reply) if reply.is_declined() => {
                    next = context.find_handler(self.caught.failure(), self.asked);
                }
                reply => return Asked::Replied(self, reply),
            }
        }
        Asked::Declined(self)
    }

    /// Makes the response for the handler's reply, and reports the failure.
    pub(super) fn conclude(
        self,
        context: &RequestContext,
        upgrade: &mut Option<Box<Upgrade>>,
        reply: thread::Result<Reply>,
    ) -> Response<AnswerBody> {
        let head = self.parts.as_ref().and_then(|it| it.head.as_ref());
        let caught = &self.caught;
        let mut response = empty_response();
        let decided = reply.and_then(|reply| {
            contain(|| context.decide_reply(&mut response, reply, upgrade, head, caught))
        });
        let id = caught.failure().id.as_ref();
        let outcome = context.or_fall_back(&mut response, decided, id);
        let layer = Some(context.report_context());
        leave_note(&mut response, caught.failure(), layer);
        if is_inside_a_scope() {
            mark_final(&mut response);
        }
        self.report(context, outcome);
        response
    }

    fn report(self, context: &RequestContext, outcome: Outcome) {
        let inner = self.parts.as_ref().and_then(|it| it.inner.as_ref());
        if let Some(inner) = inner {
            inner.call_observers(outcome);
        }
        context.report(&self.caught, outcome);
        ignore_panic(|| drop(self.caught));
        if let Some(parts) = self.parts {
            // The extensions of the head are user values.
            ignore_panic(|| drop(parts));
        }
    }
}

impl PendingHandler {
    /// Polls the handler. If it declines, the next one is asked.
    pub(super) fn poll(
        mut self: Box<Self>,
        context: &RequestContext,
        cx: &mut Context<'_>,
    ) -> Asked {
        let Poll::Ready(reply) = poll_reply(&mut self.reply, cx) else {
            return Asked::Pending(self);
        };
        let Self {
            reply: future,
            failure,
        } = *self;
        ignore_panic(|| drop(future));
        match reply {
            Ok(reply) if reply.is_declined() => {
                let next = context.find_handler(failure.caught.failure(), failure.asked);
                failure.ask(context, next, cx)
            }
            reply => Asked::Replied(failure, reply),
        }
    }

    /// Reports the failure, because the client has left before the handler replied.
    #[cold]
    pub(super) fn abandon(self, context: &RequestContext) {
        ignore_panic(|| drop(self.reply));
        self.failure.report(context, Outcome::Aborted);
    }
}
