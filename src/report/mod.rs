//! Reporting a failure after the decision: the observers, the `tracing` event, the counter.
#![cfg_attr(
    not(all(feature = "metrics", feature = "tower", feature = "tracing")),
    allow(unused_variables, dead_code)
)]

mod error_type;
#[cfg(feature = "tracing")]
mod event;
#[cfg(feature = "tracing")]
mod level;
#[cfg(feature = "tracing")]
mod limit;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "tower")]
mod note;
mod observers;
mod outcome;
mod reporting;
mod server_fault;
mod text;

#[cfg(feature = "tower")]
pub(crate) use self::note::{FailureNote, read_notes};
pub use self::outcome::Outcome;
pub(crate) use self::reporting::{ReportContext, Reporting};
#[cfg(feature = "tracing")]
pub(crate) use self::{
    level::{LogAs, default_level},
    limit::LogLimit,
};

use http::Response;

use crate::caught::failure::Failure;
#[cfg(any(feature = "metrics", feature = "tracing"))]
use crate::unwind::ignore_panic;

/// Returns whether anybody may hear of a failure under a layer without observers: a subscriber or a
/// recorder of metrics.
#[inline]
pub(crate) fn is_heard() -> bool {
    #[cfg(feature = "tracing")]
    if tracing::level_filters::LevelFilter::current() != tracing::level_filters::LevelFilter::OFF {
        return true;
    }
    cfg!(feature = "metrics")
}

/// Leaves a note of `failure` in the response to it, if a classifier reads it.
#[inline]
pub(crate) fn leave_note<B>(
    response: &mut Response<B>,
    failure: &Failure,
    layer: Option<ReportContext<'_>>,
) {
    #[cfg(feature = "tower")]
    note::leave_note(response, failure, layer.map(|layer| &layer.reporting.types));
}

/// Emits the event for a failure, and counts it. `outcome` is computed only if somebody may hear of
/// it.
#[inline]
pub(crate) fn emit(
    failure: &Failure,
    layer: Option<ReportContext<'_>>,
    outcome: impl FnOnce() -> Outcome,
) {
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    emit_contained(failure, layer, outcome());
}

/// Both run user code: the `Display` and the `source` of errors, subscribers and recorders.
#[cfg(any(feature = "metrics", feature = "tracing"))]
#[cold]
fn emit_contained(failure: &Failure, layer: Option<ReportContext<'_>>, outcome: Outcome) {
    #[cfg(feature = "tracing")]
    ignore_panic(|| event::emit_event(failure, layer, outcome));
    #[cfg(feature = "metrics")]
    ignore_panic(|| metrics::count(failure, layer, outcome));
}
