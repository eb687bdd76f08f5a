//! A failure: an exception, an error or a panic, with its mechanism and the phase.

use std::{any::Any, error::Error, fmt, panic::Location, sync::Arc};

use super::{
    known::{self, status_for},
    panic::Panic,
};
use crate::{
    error::{BoxError, sources},
    exception::{Exception, HttpException, WebSocketException},
    raise::poll::{RaisedBy, downcast_payload},
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
}

#[derive(Clone)]
pub(crate) enum FailureKind {
    Exception(Exception),
    /// An error, and the first exception in its chain of sources.
    Error(Arc<dyn Error + Send + Sync>, Option<Exception>),
    Panic(Panic),
}

/// Mechanism by which a failure arose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// A service or a body returned it as its error.
    Returned,
    /// A response carried it.
    Attached,
    /// Unwinding: [`HttpException::raise`](crate::HttpException::raise), or
    /// [`panic_any`](std::panic::panic_any) of an exception.
    Raised,
    /// [`HttpException::raise_async`](crate::HttpException::raise_async).
    RaisedAsync,
    /// A panic whose payload is no exception.
    Panicked,
    /// A plain error response, taken as an exception:
    /// [`adopt_error_responses`](crate::ExceptionLayer::adopt_error_responses).
    Adopted,
}

/// Phase of a request in which a failure was caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// In `poll_ready`.
    PollReady,
    /// In `call`.
    Call,
    /// In the future that `call` returned.
    Future,
    /// In the body of the response.
    Body,
    /// After the handshake of a WebSocket, in the task that has the connection.
    WebSocket,
    /// In a handler or a renderer, while another failure was handled.
    Handling,
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
        }
    }

    /// Takes an error that a service, a body or a task returned.
    #[cold]
    pub(crate) fn from_error(error: impl Into<BoxError>, phase: Phase) -> Self {
        let error = match error.into().downcast::<HttpException>() {
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
        // An error's `source` is user code.
        let exception = catch_or(None, || sources(&*error).find_map(Exception::of));
        Self {
            kind: FailureKind::Error(Arc::from(error), exception),
            mechanism: Mechanism::Returned,
            phase,
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

    pub(crate) fn panic(panic: Panic, phase: Phase) -> Self {
        Self {
            kind: FailureKind::Panic(panic),
            mechanism: Mechanism::Panicked,
            phase,
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
        match self.mechanism {
            // The layer made it.
            Mechanism::Adopted => None,
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

    /// Returns the exception that stands for an error of another crate.
    pub(crate) fn known_exception(&self) -> Option<HttpException> {
        if known::IS_ANY_KNOWN {
            self.errors().find_map(status_for)
        } else {
            None
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

impl From<Failure> for BoxError {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::Exception(Exception::Http(exception)) => exception.into(),
            FailureKind::Exception(Exception::WebSocket(exception)) => exception.into(),
            FailureKind::Panic(panic) => panic.into(),
            FailureKind::Error(error, _) => Box::new(SharedError(error)),
        }
    }
}

/// An error that has other owners. Its source is the error itself, so that a search finds it.
#[derive(Debug)]
struct SharedError(Arc<dyn Error + Send + Sync>);

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for SharedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
