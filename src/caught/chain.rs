//! The errors of a failure, in the order of its chain of sources, and their backtraces.

use std::{backtrace::Backtrace, error::Error};

#[cfg(feature = "tracing-error")]
use tracing_error::{ExtractSpanTrace, SpanTrace, SpanTraceStatus};

use super::failure::{Failure, FailureKind};
use crate::{
    error::{backtrace, held, sources},
    exception::Exception,
    panic_record::ErrorLocation,
};

impl Failure {
    /// Returns the errors that may have a handler, the outermost first, down to the first
    /// exception.
    ///
    /// That exception comes twice: as an [`Exception`] and as its own type. The source of an
    /// exception is for the log, because the exception was made to be rendered in its place.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        let outer: Option<&(dyn Error + 'static)> = match &self.kind {
            FailureKind::Exception(_) => None,
            FailureKind::Error(error, _) => Some(held(error)),
            FailureKind::Panic(panic) => Some(&**panic),
        };
        let outer = outer.into_iter().flat_map(|error| self.chain(error));
        let exception = self.as_exception().into_iter().flat_map(|exception| {
            let either: &(dyn Error + 'static) = exception;
            let it: &(dyn Error + 'static) = exception.as_error();
            [either, it]
        });
        outer
            .take_while(|error| !Exception::is(*error))
            .chain(exception)
    }

    /// Calls `find` with each of [`errors`](Self::errors) and its depth, until it returns a value.
    pub(crate) fn find_error<'a, T>(
        &'a self,
        mut find: impl FnMut(usize, &'a (dyn Error + 'static)) -> Option<T>,
    ) -> Option<T> {
        match &self.kind {
            // The most usual failure takes no search.
            FailureKind::Exception(exception) => {
                find(0, exception).or_else(|| find(1, exception.as_error()))
            }
            _ => {
                let mut errors = self.errors().enumerate();
                errors.find_map(|(depth, error)| find(depth, error))
            }
        }
    }

    /// Returns the error at `depth` in [`errors`](Self::errors).
    pub(crate) fn error_at(&self, depth: usize) -> Option<&(dyn Error + 'static)> {
        match (&self.kind, depth) {
            // The most usual one takes no search.
            (FailureKind::Exception(exception), 1) => Some(exception.as_error()),
            _ => self.errors().nth(depth),
        }
    }

    /// Returns `error` and its sources.
    fn chain<'a>(
        &'a self,
        error: &'a (dyn Error + 'static),
    ) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
        let (plain, revealed) = match &self.reveals {
            None => (Some(sources(error)), None),
            Some(reveals) => (None, Some(reveals.sources(error))),
        };
        let plain = plain.into_iter().flatten();
        plain.chain(revealed.into_iter().flatten())
    }

    /// Returns the backtrace of a panic, or that of the outermost report in the chain of sources.
    pub(crate) fn backtrace(&self) -> Option<&Backtrace> {
        let of_panic = match (&self.kind, &self.location) {
            (FailureKind::Panic(panic), _) => panic.backtrace(),
            (_, Some(ErrorLocation::Panicked(record))) => record.backtrace.as_ref(),
            _ => None,
        };
        of_panic.or_else(|| self.whole_chain().find_map(backtrace))
    }

    /// Returns the spans of the outermost error in the chain of sources that has some.
    #[cfg(feature = "tracing-error")]
    pub(crate) fn span_trace(&self) -> Option<&SpanTrace> {
        let mut traces = self.whole_chain().filter_map(|error| error.span_trace());
        traces.find(|trace| trace.status() == SpanTraceStatus::CAPTURED)
    }

    /// Returns the errors of [`errors`](Self::errors), each once, and then those that the exception
    /// was created with.
    pub(crate) fn whole_chain(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        let origin = self.as_exception().and_then(Exception::origin);
        let errors = self.errors().filter(|error| !error.is::<Exception>());
        errors.chain(origin.into_iter().flat_map(|origin| sources(origin)))
    }
}
