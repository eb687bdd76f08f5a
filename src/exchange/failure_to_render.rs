//! A failure to which no handler has replied, for the layer's renderer.

use crate::{
    caught::{Caught, failure::Failure},
    format::ResponseFormat,
    handling::RequestContext,
};

/// Failure to which no handler has replied.
pub(super) enum FailureToRender {
    /// The default renderer needs no more.
    ByDefault(Failure),
    /// A renderer of the user's receives it.
    ByRenderer(Caught),
}

impl FailureToRender {
    pub(super) fn new(failure: Failure, context: &RequestContext) -> Self {
        match (&context.handling.renderer, context.format) {
            (None, _) | (_, ResponseFormat::Grpc(_)) => Self::ByDefault(failure),
            (Some(_), _) => Self::ByRenderer(Caught::of_failure(failure, context.request.clone())),
        }
    }

    /// Returns the failure for the layer's renderer, or `None` if none is called.
    pub(super) fn caught(&self) -> Option<&Caught> {
        match self {
            Self::ByDefault(_) => None,
            Self::ByRenderer(caught) => Some(caught),
        }
    }

    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::ByDefault(failure) => failure,
            Self::ByRenderer(caught) => caught.into_failure(),
        }
    }
}

impl AsRef<Failure> for FailureToRender {
    fn as_ref(&self) -> &Failure {
        match self {
            Self::ByDefault(failure) => failure,
            Self::ByRenderer(caught) => caught.failure(),
        }
    }
}

impl AsMut<Failure> for FailureToRender {
    fn as_mut(&mut self) -> &mut Failure {
        match self {
            Self::ByDefault(failure) => failure,
            Self::ByRenderer(caught) => caught.failure_mut(),
        }
    }
}
