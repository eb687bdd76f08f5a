//! A failure in the hands of a handler, sync or async.

use std::thread;

use http::{Response, response::Parts};

use super::{AnswerBody, attached::mark_final, pending_report::PendingReport};
use crate::{
    caught::Caught,
    handler::{PendingReply, Reply},
    handling::RequestContext,
    raise::slot::is_inside_a_scope,
    report::Outcome,
    unwind::{catch, ignore_panic},
    websocket::Upgrade,
};

/// An async handler, and the failure that it handles.
pub(super) struct PendingHandler {
    pub(super) reply: PendingReply,
    pub(super) failure: HandledFailure,
}

/// A failure that a handler receives.
pub(super) struct HandledFailure {
    pub(super) caught: Caught,
    /// The head of the response that carried the failure.
    pub(super) head: Option<Parts>,
    /// The report that an inner layer has left.
    pub(super) inner: Option<PendingReport>,
}

impl HandledFailure {
    /// Makes the response for the handler's reply, and reports the failure.
    pub(super) fn conclude(
        self,
        context: &RequestContext,
        upgrade: &mut Option<Box<Upgrade>>,
        reply: thread::Result<Reply>,
    ) -> Response<AnswerBody> {
        let (head, failure) = (self.head.as_ref(), self.caught.failure());
        let decided =
            reply.and_then(|reply| catch(|| context.decide_reply(reply, upgrade, head, failure)));
        let (mut response, outcome) = context.or_fall_back(decided);
        if is_inside_a_scope() {
            mark_final(&mut response);
        }
        self.report(context, outcome);
        response
    }

    fn report(self, context: &RequestContext, outcome: Outcome) {
        if let Some(inner) = self.inner {
            inner.call_observers(outcome);
        }
        context.report(&self.caught, outcome);
        ignore_panic(|| drop(self.caught));
        // Its extensions are user values.
        ignore_panic(|| drop(self.head));
    }
}

impl PendingHandler {
    /// Reports the failure, because the client has left before the handler replied.
    #[cold]
    pub(super) fn abandon(self, context: Option<&RequestContext>) {
        ignore_panic(|| drop(self.reply));
        if let Some(context) = context {
            self.failure.report(context, Outcome::Aborted);
        }
    }
}
