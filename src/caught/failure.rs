//! A failure: an exception, an error or a panic, with its mechanism and the phase.

use std::{any::Any, error::Error, panic::Location, sync::Arc};

use super::{
    client_fault::ClientFault,
    known::{self, status_for},
    mechanism::{Mechanism, Phase},
    panic::Panic,
};
#[cfg(feature = "tonic")]
use crate::grpc::tonic::made_of;
use crate::{
    error::{BoxError, SharedError, sources},
    exception::{Exception, HttpException, WebSocketException},
    raise::poll::{RaisedBy, downcast_payload},
    unwind::{catch, catch_or, ignore_panic},
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
}

#[derive(Clone)]
pub(crate) enum FailureKind {
    Exception(Exception),
    /// An error, and the first exception in its chain of sources.
    Error(Arc<dyn Error + Send + Sync>, Option<Exception>),
    Panic(Panic),
}

impl Failure {
    pub(crate) fn exception(
        exception: impl Into<Exception>,
        mechanism: Mechanism,
        phase: Phase,
    ) -> Self {
        let kind = FailureKind::Exception(exception.into());
        Self {
            kind,
            mechanism,
            phase,
            may_be_of_request_body: false,
        }
    }

    /// Takes an error that a service, a body or a task returned.
    #[cold]
    pub(crate) fn from_error(error: impl Into<BoxError>, phase: Phase) -> Self {
        // The conversion is user code.
        let error = match catch(|| error.into()) {
            Ok(error) => error,
            Err(payload) => return Self::from_payload(payload, phase),
        };
        let error = match error.downcast::<HttpException>() {
            Ok(exception) => return Self::exception(*exception, Mechanism::Returned, phase),
            Err(error) => error,
        };
        let error = match error.downcast::<WebSocketException>() {
            Ok(exception) => return Self::exception(*exception, Mechanism::Returned, phase),
            Err(error) => error,
        };
        let error = match error.downcast::<Exception>() {
            Ok(exception) => return Self::exception(*exception, Mechanism::Returned, phase),
            Err(error) => error,
        };
        #[cfg(feature = "tokio")]
        let error = match payload_of_task(error) {
            Ok(payload) => return Self::from_payload(payload, phase),
            Err(error) => error,
        };
        #[cfg(feature = "tonic")]
        let error = match exception_of_status(error) {
            Ok(exception) => return Self::exception(exception, Mechanism::Returned, phase),
            Err(error) => error,
        };
        // An error's `source` is user code.
        let exception = catch_or(None, || sources(&*error).find_map(Exception::of));
        Self {
            kind: FailureKind::Error(SharedError::share(error), exception),
            mechanism: Mechanism::Returned,
            phase,
            may_be_of_request_body: false,
        }
    }

    /// Takes the payload of an unwinding, or of what was raised without one.
    #[cold]
    pub(crate) fn from_payload(payload: Box<dyn Any + Send>, phase: Phase) -> Self {
        match downcast_payload(payload) {
            Ok((exception, RaisedBy::Unwinding)) => {
                Self::exception(exception, Mechanism::Raised, phase)
            }
            Ok((exception, RaisedBy::Async)) => {
                Self::exception(exception, Mechanism::RaisedAsync, phase)
            }
            Err(payload) => Self::panic(Panic::from_payload(payload), phase),
        }
    }

    /// Takes the status that a gRPC service has sent in its trailers.
    pub(crate) fn in_trailers(exception: HttpException) -> Self {
        Self::exception(exception, Mechanism::Attached, Phase::Body)
    }

    pub(crate) fn panic(panic: Panic, phase: Phase) -> Self {
        Self {
            kind: FailureKind::Panic(panic),
            mechanism: Mechanism::Panicked,
            phase,
            may_be_of_request_body: false,
        }
    }

    /// Returns the failure as a whole, as an error.
    pub(crate) fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        match &self.kind {
            FailureKind::Exception(exception) => exception.as_error(),
            FailureKind::Error(error, _) => &**error,
            FailureKind::Panic(panic) => panic,
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

    pub(crate) fn as_exception_mut(&mut self) -> Option<&mut Exception> {
        match &mut self.kind {
            FailureKind::Exception(exception) => Some(exception),
            FailureKind::Error(_, exception) => exception.as_mut(),
            FailureKind::Panic(_) => None,
        }
    }

    /// Returns the errors that may have a handler, the outermost first, down to the first
    /// exception.
    ///
    /// That exception comes twice: as an [`Exception`] and as its own type. The source of an
    /// exception is for the log, because the exception was made to be rendered in its place.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        let outer: Option<&(dyn Error + 'static)> = match &self.kind {
            FailureKind::Exception(_) => None,
            FailureKind::Error(error, _) => Some(&**error),
            FailureKind::Panic(panic) => Some(panic),
        };
        let outer = outer.into_iter().flat_map(sources);
        let exception = self.as_exception().into_iter().flat_map(|exception| {
            let either: &(dyn Error + 'static) = exception;
            let it: &(dyn Error + 'static) = exception.as_error();
            [either, it]
        });
        outer
            .take_while(|error| !Exception::is(*error))
            .chain(exception)
    }

    /// Returns the place in the code at which the failure's exception was made.
    pub(crate) fn location(&self) -> Option<&'static Location<'static>> {
        match (self.mechanism, self.phase) {
            // The layer made it.
            (Mechanism::Adopted, _) | (Mechanism::Attached, Phase::Body) => None,
            _ => self.as_exception().map(Exception::location),
        }
    }

    /// Returns the exception that stands for the failure if no handler replies, or `None` for an
    /// unknown error and a panic.
    #[cfg(feature = "websocket")]
    pub(crate) fn default_exception(&self) -> Option<Exception> {
        match self.known_exception() {
            Some(exception) => Some(Exception::Http(exception)),
            None => self.as_exception().cloned(),
        }
    }

    /// Returns the WebSocket exception that stands for the failure.
    pub(crate) fn websocket_exception(&self) -> Option<&WebSocketException> {
        match self.as_exception()? {
            Exception::WebSocket(exception) if self.known_exception().is_none() => Some(exception),
            _ => None,
        }
    }

    /// Returns the HTTP exception that stands for the failure.
    pub(crate) fn http_exception(&self) -> Option<HttpException> {
        self.known_exception()
            .or_else(|| match self.as_exception()? {
                Exception::Http(exception) => Some(exception.clone()),
                Exception::WebSocket(_) => None,
            })
    }

    /// Returns the exception that stands for an error of another crate.
    pub(crate) fn known_exception(&self) -> Option<HttpException> {
        if let Some(fault) = self.client_fault() {
            return Some(fault.exception());
        }
        // The errors of an exception or a panic are this crate's own.
        if known::IS_ANY_KNOWN && matches!(self.kind, FailureKind::Error(..)) {
            let mut errors = self.errors().enumerate();
            errors.find_map(|(depth, error)| status_for(error, depth == 0))
        } else {
            None
        }
    }

    /// Returns the fault of the client that the failure is: a request body that the client has
    /// malformed or has not sent to its end.
    ///
    /// An error that has another one as its source is the application's, whatever that source is.
    pub(crate) fn client_fault(&self) -> Option<ClientFault> {
        match &self.kind {
            FailureKind::Error(error, _) if self.may_be_of_request_body => {
                ClientFault::of(&**error)
            }
            _ => None,
        }
    }
}

/// Drops a failure and contains a panic in the `Drop` of its error.
pub(crate) fn drop_contained(failure: Failure) {
    match &failure.kind {
        FailureKind::Exception(exception) if exception.origin().is_none() => drop(failure),
        _ => ignore_panic(|| drop(failure)),
    }
}

/// Returns the payload of a tokio task that panicked, if `error` says that one did.
#[cfg(feature = "tokio")]
fn payload_of_task(error: BoxError) -> Result<Box<dyn Any + Send>, BoxError> {
    let error = error.downcast::<tokio::task::JoinError>()?;
    error.try_into_panic().map_err(BoxError::from)
}

/// Returns the exception of which `?` has made a `tonic::Status`.
#[cfg(feature = "tonic")]
fn exception_of_status(error: BoxError) -> Result<HttpException, BoxError> {
    let status = error.downcast::<tonic::Status>()?;
    match made_of(&status) {
        Some(_) => Ok((*status).into()),
        None => Err(status),
    }
}

impl From<Failure> for BoxError {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::Exception(Exception::Http(exception)) => exception.into(),
            FailureKind::Exception(Exception::WebSocket(exception)) => exception.into(),
            FailureKind::Panic(panic) => panic.into(),
            FailureKind::Error(error, _) => Box::new(SharedError::new(error)),
        }
    }
}
