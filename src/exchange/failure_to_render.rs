//! A failure to which no handler has replied.

use crate::{
    caught::{Caught, failure::Failure},
    handling::RequestContext,
    report::{Outcome, emit},
};

/// Failure to which no handler has replied.
pub(super) enum FailureToRender {
    /// A handler has received it, or an observer or a renderer of the user's will.
    Caught(Caught),
    /// Nobody receives it, which saves an allocation.
    Unseen(Failure),
}

impl FailureToRender {
    pub(super) fn new(failure: Failure, context: &RequestContext) -> Self {
        match context.has_receiver() {
            true => Self::Caught(context.caught(failure)),
            false => Self::Unseen(failure),
        }
    }

    /// Returns the failure for the layer's renderer, or `None` if there is none.
    pub(super) fn caught(&self) -> Option<&Caught> {
        match self {
            Self::Caught(caught) => Some(caught),
            Self::Unseen(_) => None,
        }
    }

    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Caught(caught) => caught.into_failure(),
            Self::Unseen(failure) => failure,
        }
    }

    pub(super) fn report(&self, context: &RequestContext, outcome: Outcome) {
        match self {
            Self::Caught(caught) => context.report(caught, outcome),
            Self::Unseen(failure) => emit(failure, Some(context.report_context()), || outcome),
        }
    }
}

impl AsRef<Failure> for FailureToRender {
    fn as_ref(&self) -> &Failure {
        match self {
            Self::Caught(caught) => caught.failure(),
            Self::Unseen(failure) => failure,
        }
    }
}

impl AsMut<Failure> for FailureToRender {
    fn as_mut(&mut self) -> &mut Failure {
        match self {
            Self::Caught(caught) => caught.failure_mut(),
            Self::Unseen(failure) => failure,
        }
    }
}
