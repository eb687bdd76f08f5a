//! Reports of anyhow and eyre.
//!
//! A report is no `std::error::Error`, because it converts from every one. It converts into a boxed
//! error, whose type nobody can name: a search for the type of the error that was reported does not
//! find it. So a report is stored as it is, in an error that opens it.
#![cfg_attr(not(any(feature = "anyhow", feature = "eyre")), allow(dead_code))]

#[cfg(feature = "anyhow")]
use std::backtrace::BacktraceStatus;
use std::{any::Any, backtrace::Backtrace, error::Error, fmt, ops::Deref};

use super::BoxError;

/// Error that holds a report.
pub(crate) struct ReportError<R>(R);

impl<R: fmt::Debug> fmt::Debug for ReportError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<R: fmt::Display> fmt::Display for ReportError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Has as its source the outermost error of the report.
impl<R> Error for ReportError<R>
where
    R: Deref<Target = dyn Error + Send + Sync> + fmt::Debug + fmt::Display,
{
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// Converts an error as [`Into`] does, except that a report stays whole.
pub(crate) fn boxed<E: Into<BoxError> + 'static>(error: E) -> BoxError {
    #[cfg(feature = "anyhow")]
    let error = match cast::<E, anyhow::Error>(error) {
        Ok(report) => return Box::new(ReportError(report)),
        Err(error) => error,
    };
    #[cfg(feature = "eyre")]
    let error = match cast::<E, eyre::Report>(error) {
        Ok(report) => return Box::new(ReportError(report)),
        Err(error) => error,
    };
    error.into()
}

/// Returns the error that the payload of a panic is, if its type is one that any code may raise.
pub(crate) fn of_payload(payload: Box<dyn Any + Send>) -> Result<BoxError, Box<dyn Any + Send>> {
    let payload = match payload.downcast::<BoxError>() {
        Ok(error) => return Ok(*error),
        Err(payload) => payload,
    };
    #[cfg(feature = "anyhow")]
    let payload = match payload.downcast::<anyhow::Error>() {
        Ok(report) => return Ok(Box::new(ReportError(*report))),
        Err(payload) => payload,
    };
    #[cfg(feature = "eyre")]
    let payload = match payload.downcast::<eyre::Report>() {
        Ok(report) => return Ok(Box::new(ReportError(*report))),
        Err(payload) => payload,
    };
    Err(payload)
}

/// Returns the `E` that a report holds: the error that was reported, or one that was added to it as
/// its context.
pub(super) fn downcast_ref<'a, E>(error: &'a (dyn Error + 'static)) -> Option<&'a E>
where
    E: Error + Send + Sync + 'static,
{
    #[cfg(feature = "anyhow")]
    if let Some(ReportError(report)) = error.downcast_ref::<ReportError<anyhow::Error>>() {
        return report.downcast_ref();
    }
    #[cfg(feature = "eyre")]
    if let Some(ReportError(report)) = error.downcast_ref::<ReportError<eyre::Report>>() {
        return report.downcast_ref();
    }
    let _ = error;
    None
}

/// Returns whether `error` holds a report.
#[cfg(feature = "debug-page")]
pub(crate) fn is_report(error: &(dyn Error + 'static)) -> bool {
    #[cfg(feature = "anyhow")]
    if error.is::<ReportError<anyhow::Error>>() {
        return true;
    }
    #[cfg(feature = "eyre")]
    if error.is::<ReportError<eyre::Report>>() {
        return true;
    }
    let _ = error;
    false
}

/// Returns the backtrace of a report of anyhow, if it has captured one.
pub(crate) fn backtrace<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Backtrace> {
    #[cfg(feature = "anyhow")]
    if let Some(ReportError(report)) = error.downcast_ref::<ReportError<anyhow::Error>>() {
        let backtrace = report.backtrace();
        return (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
    }
    let _ = error;
    None
}

/// Takes the `E` that `error` is, or that it holds as a report.
pub(crate) fn take<E>(error: BoxError) -> Result<E, BoxError>
where
    E: Error + Send + Sync + 'static,
{
    #[cfg(feature = "anyhow")]
    let error = match error.downcast::<ReportError<anyhow::Error>>() {
        Ok(held) => {
            return held
                .0
                .downcast()
                .map_err(|report| ReportError(report).into());
        }
        Err(error) => error,
    };
    #[cfg(feature = "eyre")]
    let error = match error.downcast::<ReportError<eyre::Report>>() {
        Ok(held) => {
            return held
                .0
                .downcast()
                .map_err(|report| ReportError(report).into());
        }
        Err(error) => error,
    };
    error.downcast().map(|error| *error)
}

/// Returns `value` as a `B`, if that is its type.
pub(crate) fn cast<A: 'static, B: 'static>(value: A) -> Result<B, A> {
    let mut value = Some(value);
    let cast = (&mut value as &mut dyn Any).downcast_mut::<Option<B>>();
    match (cast.and_then(Option::take), value) {
        (Some(cast), _) => Ok(cast),
        (None, Some(value)) => Err(value),
        (None, None) => unreachable!("a value of another type is not taken"),
    }
}
