//! The report of a failure whose outcome an outer layer decides.

use std::sync::{Arc, Mutex, PoisonError};

use http::Response;

use crate::{
    caught::failure::{Failure, FailureKind, drop_contained},
    handling::RequestContext,
    report::{Outcome, emit, is_heard},
};

/// Report of a failure that an inner layer has rendered provisionally.
///
/// The outermost layer that sees the response knows the outcome, and reports once for all layers.
/// If no layer sees the response again (a middleware has dropped it, or runs the inner service in a
/// task), the report is made when the last clone is dropped, with the inner layer's outcome.
#[derive(Clone)]
pub(super) struct PendingReport(Arc<Shared>);

struct Shared(Mutex<Option<Report>>);

struct Report {
    failure: Failure,
    /// The layers whose observers are to be called, the innermost first.
    contexts: Vec<RequestContext>,
    /// The inner layer's outcome.
    outcome: Outcome,
}

impl PendingReport {
    /// Returns the report for an outer layer to make. There is none if nobody would receive it.
    /// `inner` is the report that an inner layer has left.
    pub(super) fn for_outer<B>(
        inner: Option<Self>,
        failure: &Failure,
        context: Option<&RequestContext>,
        response: &Response<B>,
    ) -> Option<Self> {
        match inner {
            Some(inner) => {
                inner.add(context, failure);
                Some(inner)
            }
            None if context.is_none() && !is_heard() => None,
            None => Some(Self::new(
                failure.clone(),
                context.cloned(),
                Outcome::of(response),
            )),
        }
    }

    fn new(failure: Failure, context: Option<RequestContext>, outcome: Outcome) -> Self {
        Self(Arc::new(Shared(Mutex::new(Some(Report {
            failure,
            contexts: context.into_iter().collect(),
            outcome,
        })))))
    }

    /// Adds a layer further out, which has passed the response on. It has a context if it may have
    /// observers. `failure` is the failure as that layer knows it.
    pub(super) fn add(&self, context: Option<&RequestContext>, failure: &Failure) {
        if let Some(report) = &mut *self.0.lock() {
            report.contexts.extend(context.cloned());
            if report.failure.id.is_none() {
                report.failure.id.clone_from(&failure.id);
            }
            let was_panic = matches!(report.failure.kind, FailureKind::Panic(_));
            // The layer has a handler for the payload of the panic, and so has taken it.
            if was_panic && !matches!(failure.kind, FailureKind::Panic(_)) {
                report.failure = failure.clone();
            }
        }
    }

    /// Reports the failure with the outcome that an outer layer has decided.
    pub(super) fn report(&self, outcome: Outcome) {
        if let Some(report) = self.0.take() {
            report.emit(outcome);
            report.call_observers(outcome);
        }
    }

    /// Calls the observers of the inner layers. The outer layer reports for itself.
    pub(super) fn call_observers(&self, outcome: Outcome) {
        if let Some(report) = self.0.take() {
            report.call_observers(outcome);
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Report>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Report> {
        self.lock().take()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(report) = self.take() {
            report.emit(report.outcome);
            let outcome = report.outcome;
            report.call_observers(outcome);
        }
    }
}

impl Report {
    /// Emits the event as the outermost layer is configured, with the request that it has received.
    fn emit(&self, outcome: Outcome) {
        let layer = self.contexts.last().map(RequestContext::report_context);
        emit(&self.failure, layer, || outcome);
    }

    fn call_observers(self, outcome: Outcome) {
        for context in &self.contexts {
            context.call_observers(self.failure.clone(), outcome);
        }
        drop_contained(self.failure);
    }
}
