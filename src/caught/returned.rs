//! From what was caught to a failure: a returned error, the payload of an unwinding.

use std::{
    any::{Any, TypeId, type_name},
    panic::Location,
};
#[cfg(feature = "tonic")]
use std::{error::Error as _, sync::Arc};

#[cfg(feature = "tokio")]
use tokio::task::{self, JoinError};

use super::{
    failure::{Failure, FailureKind},
    mechanism::{Mechanism, Phase},
    panic::Panic,
};
#[cfg(feature = "tokio")]
use crate::error::{downcast_ref, take};
#[cfg(feature = "tokio")]
use crate::panic_record::take_of_task;
#[cfg(feature = "tonic")]
use crate::{error::ErrorValue, grpc::visible::made_of};
use crate::{
    error::{BoxError, BoxedError, Error, LocatedError, SharedError, boxed, cast, of_payload},
    exception::{Exception, HttpException},
    panic_record::{self, ErrorLocation, SharedRecord},
    raise::{
        poll::{RaisedBy, downcast_payload},
        raised::Raised,
    },
    unwind::catch,
};

/// Error that a service below the layer may return.
///
/// Those are an [`Error`], and everything that converts into a boxed
/// `std::error::Error + Send + Sync`: every such error, a boxed one, and the reports of anyhow and
/// eyre.
///
/// The trait is sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error that an `ExceptionLayer` can catch",
    label = "not an error",
    note = "the error of the service has to implement `std::error::Error + Send + Sync + 'static`, or to convert into a boxed one",
    note = "return `tower_exception::Result`, whose error takes any of them by `?`; a `StatusCode` becomes an error by `HttpException::from(status)`"
)]
pub trait IntoFailure: sealed::Sealed {
    #[doc(hidden)]
    fn into_failure(self, phase: Phase) -> Failure;
}

mod sealed {
    pub trait Sealed {}
}

impl<E: Into<BoxError> + 'static> sealed::Sealed for E {}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError> + 'static> IntoFailure for E {
    #[cold]
    fn into_failure(self, phase: Phase) -> Failure {
        // The most usual type takes no box.
        let error = match cast::<E, HttpException>(self) {
            Ok(exception) => return Failure::exception(exception, Mechanism::Returned, phase),
            Err(error) => error,
        };
        // The conversion is user code.
        match catch(|| boxed(error)) {
            Ok(error) => {
                let mut failure = Failure::from_boxed(error, Mechanism::Returned, phase);
                if failure.is_error() && failure.type_name.is_none() && !is_boxed::<E>() {
                    failure.type_name = Some(type_name::<E>());
                }
                failure
            }
            Err(payload) => Failure::from_payload(payload, phase),
        }
    }
}

/// Returns whether `E` only stands for an error of any type.
fn is_boxed<E: 'static>() -> bool {
    TypeId::of::<E>() == TypeId::of::<BoxError>()
}

impl sealed::Sealed for Error {}

impl IntoFailure for Error {
    #[cold]
    fn into_failure(self, phase: Phase) -> Failure {
        Failure::from_error(self, Mechanism::Returned, phase)
    }
}

/// Private extension of a response that was made of an error, and that no layer has inspected.
#[cfg(feature = "axum")]
#[derive(Clone)]
pub(crate) struct UnhandledFailure(pub(crate) Failure);

impl Failure {
    /// Takes the failure of a handler, which has returned it.
    #[cfg(feature = "axum")]
    pub(crate) fn of_handler(mut self) -> Box<Self> {
        self.phase = Phase::Handling;
        if self.mechanism == Mechanism::Attached {
            self.mechanism = Mechanism::Returned;
        }
        Box::new(self)
    }

    /// Takes an error with the place at which it was converted or raised.
    pub(crate) fn from_error(error: Error, mechanism: Mechanism, phase: Phase) -> Self {
        let error = match Raised::from(error) {
            Raised::Exception(exception) => return Self::exception(exception, mechanism, phase),
            Raised::Error(error) => error,
        };
        let error = match opened_by_layer(&error) {
            true => error.into_located(),
            false => Err(error),
        };
        match error {
            Ok(LocatedError {
                value,
                location,
                type_name,
            }) => Self::from_boxed(value.into_boxed(), mechanism, phase)
                .with_provenance(location, type_name),
            Err(error) => {
                let (location, type_name) = (error.location(), error.type_name());
                Self::error(error.into_shared(), mechanism, phase)
                    .with_provenance(location, type_name)
            }
        }
    }

    /// Converts the failure into an error that [`from_boxed`](Self::from_boxed) takes back.
    #[cfg(feature = "tonic")]
    pub(crate) fn into_error(self, location: &'static Location<'static>) -> Error {
        Error::from_located(LocatedError {
            location: match self.location {
                Some(ErrorLocation::At(location)) => location,
                Some(ErrorLocation::Panicked(_)) | None => location,
            },
            type_name: self.type_name,
            value: ErrorValue::Other(self.into()),
        })
    }

    fn with_provenance(
        mut self,
        location: &'static Location<'static>,
        type_name: Option<&'static str>,
    ) -> Self {
        // An exception knows where it was made, and a panic is of another place. An error that was
        // raised in a task has a place of its own.
        if self.is_error() && self.location.is_none() {
            self.location = Some(ErrorLocation::At(location));
            self.type_name = type_name;
        }
        self
    }

    /// Takes an error that a service, a body or a task returned, or that was raised.
    #[cold]
    pub(crate) fn from_boxed(error: BoxError, mechanism: Mechanism, phase: Phase) -> Self {
        let error = match Exception::downcast(error) {
            Ok(exception) => return Self::exception(exception, mechanism, phase),
            Err(error) => error,
        };
        let error = match error.downcast::<BoxedError>() {
            Ok(boxed) => return Self::from_error(boxed.0, mechanism, phase),
            Err(error) => error,
        };
        #[cfg(feature = "tokio")]
        let error = match payload_of_task(error) {
            Ok((payload, task)) => {
                let record = take_of_task(&*payload, task);
                return Self::from_unwound(payload, record, phase);
            }
            Err(error) => error,
        };
        #[cfg(feature = "tonic")]
        let error = match error.downcast::<tonic::Status>() {
            Ok(status) => return Self::from_status(*status, mechanism, phase),
            Err(error) => error,
        };
        Self::error(SharedError::share(error), mechanism, phase)
    }

    /// Takes the payload of an unwinding that has just ended here, or of what was raised without
    /// one.
    #[cold]
    pub(crate) fn from_payload(payload: Box<dyn Any + Send>, phase: Phase) -> Self {
        let record = panic_record::take(&*payload);
        Self::from_unwound(payload, record, phase)
    }

    /// Takes the payload of an unwinding, with the record of the panic.
    fn from_unwound(
        payload: Box<dyn Any + Send>,
        record: Option<SharedRecord>,
        phase: Phase,
    ) -> Self {
        let (raised, by) = match downcast_payload(payload) {
            Ok(raised) => raised,
            Err(payload) => {
                return match of_payload(payload) {
                    Ok(error) => {
                        let mut failure = Self::from_boxed(error, Mechanism::Raised, phase);
                        if failure.is_error() && failure.location.is_none() {
                            failure.location = record.map(ErrorLocation::Panicked);
                        }
                        failure
                    }
                    Err(payload) => Self::panic(Panic::from_payload(payload, record), phase),
                };
            }
        };
        let mechanism = match by {
            RaisedBy::Unwinding => Mechanism::Raised,
            RaisedBy::Async => Mechanism::RaisedAsync,
        };
        Self::from_raised(raised, mechanism, phase)
    }

    pub(crate) fn from_raised(raised: Raised, mechanism: Mechanism, phase: Phase) -> Self {
        match raised {
            Raised::Exception(exception) => Self::exception(exception, mechanism, phase),
            Raised::Error(error) => Self::from_error(error, mechanism, phase),
        }
    }

    /// Takes a status. If `?` has made it of an exception or an [`Error`], it is taken as that.
    #[cfg(feature = "tonic")]
    pub(crate) fn from_status(status: tonic::Status, mechanism: Mechanism, phase: Phase) -> Self {
        if made_of(&status).is_some() {
            return Self::exception(HttpException::from(status), mechanism, phase);
        }
        let boxed = status
            .source()
            .and_then(|it| it.downcast_ref::<BoxedError>());
        match boxed.map(BoxedError::share) {
            Some(error) => match error.downcast_ref::<Panic>() {
                Some(panic) => Self::panic(panic.clone(), phase),
                None => Self::from_error(error, mechanism, phase),
            },
            None => Self::error(Arc::new(status), mechanism, phase),
        }
    }
}

impl From<Failure> for BoxError {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::Exception(Exception::Http(exception)) => exception.into(),
            FailureKind::Exception(Exception::WebSocket(exception)) => exception.into(),
            FailureKind::Panic(panic) => panic,
            FailureKind::Error(error, _) => Box::new(SharedError::new(error)),
        }
    }
}

/// Returns whether the layer takes an error apart that is no exception.
fn opened_by_layer(error: &Error) -> bool {
    #[cfg(feature = "tokio")]
    if is_panic_of_task(&**error) {
        return true;
    }
    #[cfg(feature = "tonic")]
    if (**error).is::<tonic::Status>() {
        return true;
    }
    let _ = error;
    false
}

#[cfg(feature = "tokio")]
fn is_panic_of_task(error: &(dyn std::error::Error + 'static)) -> bool {
    downcast_ref::<JoinError>(error).is_some_and(JoinError::is_panic)
}

/// Returns the payload of a tokio task that panicked, and the task, if `error` says that one did.
#[cfg(feature = "tokio")]
fn payload_of_task(error: BoxError) -> Result<(Box<dyn Any + Send>, task::Id), BoxError> {
    if !is_panic_of_task(&*error) {
        return Err(error);
    }
    let error = take::<JoinError>(error)?;
    let task = error.id();
    let payload = error.try_into_panic().map_err(boxed)?;
    Ok((payload, task))
}
