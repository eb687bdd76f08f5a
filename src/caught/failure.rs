//! A failure: an exception, an error or a panic, with its mechanism and the phase.

use std::{any::Any, error::Error, sync::Arc};

use http::HeaderMap;

use super::{
    mechanism::{Mechanism, Phase},
    panic::Panic,
    reveal::Reveals,
};
use crate::{
    error::{BoxError, held, sources},
    exception::{Exception, HttpException},
    panic_record::{ErrorLocation, SourceLocation},
    unwind::{catch_or, ignore_panic},
};

/// Anything that the layer catches.
///
/// `Clone`, because a service that failed in `poll_ready` fails every later call in the same way.
#[derive(Clone)]
pub struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) mechanism: Mechanism,
    pub(crate) phase: Phase,
    /// Whether the request may have a body, of which the error may be.
    pub(crate) may_be_of_request_body: bool,
    /// The place at which an error that is no exception was converted or raised, if known.
    pub(super) location: Option<ErrorLocation>,
    /// The type of an error that is no exception, if known.
    pub(super) type_name: Option<&'static str>,
    /// The id that connects the response with the log.
    pub(crate) id: Option<Arc<str>>,
    /// The functions that open errors, of the layer that handles the failure.
    pub(super) reveals: Option<Arc<Reveals>>,
}

#[derive(Clone)]
pub(crate) enum FailureKind {
    Exception(Exception),
    /// An error, and the first exception in its chain of sources.
    Error(Arc<dyn Error + Send + Sync>, Option<Exception>),
    /// In a box, so that the failures that are usual stay small.
    Panic(Box<Panic>),
}

/// Converts the payload of a panic to the error that it is, if its type is the expected one, and
/// returns the name of that type with it.
pub(crate) type FromPayload =
    fn(Box<dyn Any + Send>) -> Result<(BoxError, &'static str), Box<dyn Any + Send>>;

impl Failure {
    fn new(kind: FailureKind, mechanism: Mechanism, phase: Phase) -> Self {
        Self {
            kind,
            mechanism,
            phase,
            may_be_of_request_body: false,
            location: None,
            type_name: None,
            id: None,
            reveals: None,
        }
    }

    pub(crate) fn exception(
        exception: impl Into<Exception>,
        mechanism: Mechanism,
        phase: Phase,
    ) -> Self {
        Self::new(FailureKind::Exception(exception.into()), mechanism, phase)
    }

    /// Takes an error that is neither an exception nor the panic of a task.
    pub(super) fn error(
        error: Arc<dyn Error + Send + Sync>,
        mechanism: Mechanism,
        phase: Phase,
    ) -> Self {
        // An error's `source` is user code.
        let exception = catch_or(None, || sources(held(&error)).find_map(Exception::of));
        Self::new(FailureKind::Error(error, exception), mechanism, phase)
    }

    pub(crate) fn panic(panic: Panic, phase: Phase) -> Self {
        Self::new(
            FailureKind::Panic(Box::new(panic)),
            Mechanism::Panicked,
            phase,
        )
    }

    /// Takes the status that a gRPC service has sent in its trailers.
    pub(crate) fn in_trailers(exception: HttpException) -> Self {
        Self::exception(exception, Mechanism::Attached, Phase::Body)
    }

    /// Opens errors by `reveals` from now on.
    pub(crate) fn reveal(&mut self, reveals: &Arc<Reveals>) {
        let FailureKind::Error(error, exception) = &mut self.kind else {
            return;
        };
        if !reveals.is_empty() {
            // Both are user code: an error's `source`, and the functions.
            let revealed = || reveals.sources(held(error)).find_map(Exception::of);
            *exception = catch_or(None, revealed).or(exception.take());
            self.reveals = Some(Arc::clone(reveals));
        }
    }

    /// Makes the failure an error, if it is a panic whose payload one of `types` converts.
    pub(crate) fn take_payload(&mut self, mut types: impl Iterator<Item = FromPayload>) {
        let FailureKind::Panic(panic) = &self.kind else {
            return;
        };
        let Some(payload) = panic.payload() else {
            return;
        };
        if let Some((error, name)) = types.find_map(|take| payload.try_take(take)) {
            let record = panic.record().cloned();
            let id = self.id.take();
            *self = Self::error(Arc::from(error), Mechanism::Raised, self.phase);
            self.location = record.map(ErrorLocation::Panicked);
            self.type_name = Some(name);
            self.id = id;
        }
    }

    /// Returns whether the failure is an error that is no exception.
    pub(crate) fn is_error(&self) -> bool {
        matches!(self.kind, FailureKind::Error(..))
    }

    /// Returns the failure as a whole, as an error.
    pub(crate) fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        match &self.kind {
            FailureKind::Exception(exception) => exception.as_error(),
            FailureKind::Error(error, _) => held(error),
            FailureKind::Panic(panic) => &**panic,
        }
    }

    /// Returns the exception that the failure is, or that its error has as a source.
    pub(crate) fn as_exception(&self) -> Option<&Exception> {
        match &self.kind {
            FailureKind::Exception(exception) => Some(exception),
            FailureKind::Error(_, exception) => exception.as_ref(),
            FailureKind::Panic(_) => None,
        }
    }

    fn as_exception_mut(&mut self) -> Option<&mut Exception> {
        match &mut self.kind {
            FailureKind::Exception(exception) => Some(exception),
            FailureKind::Error(_, exception) => exception.as_mut(),
            FailureKind::Panic(_) => None,
        }
    }

    /// Removes the headers from the failure's exception and returns them.
    pub(crate) fn take_headers(&mut self) -> Option<HeaderMap> {
        match self.as_exception_mut()? {
            Exception::Http(exception) => exception.take_headers(),
            Exception::WebSocket(_) => None,
        }
    }

    /// Returns the place in the code at which the error was converted or raised, at which the panic
    /// has happened, or otherwise at which the failure's exception was made.
    pub(crate) fn location(&self) -> Option<SourceLocation> {
        if let FailureKind::Panic(panic) = &self.kind {
            return panic.location();
        }
        let location = self.location.as_ref().map(ErrorLocation::get);
        match (self.mechanism, self.phase) {
            // The layer made it.
            (Mechanism::Adopted, _) => None,
            (Mechanism::Attached, Phase::Body) => location,
            _ => location.or_else(|| Some(self.as_exception()?.location().into())),
        }
    }

    /// Returns the name of the type of an error that is no exception, if it is known.
    pub(crate) fn type_name(&self) -> Option<&'static str> {
        self.type_name
    }
}

impl AsRef<Self> for Failure {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl AsMut<Self> for Failure {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

/// Drops a failure and contains a panic in the `Drop` of its error.
pub(crate) fn drop_contained(failure: Failure) {
    match &failure.kind {
        FailureKind::Exception(exception) if exception.origin().is_none() => drop(failure),
        _ => ignore_panic(|| drop(failure)),
    }
}
