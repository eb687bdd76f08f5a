//! The spans that an error of `tracing-error` holds.

use std::error::Error;
#[cfg(feature = "tracing-error")]
use std::fmt::Write;

#[cfg(feature = "tracing-error")]
use tracing_error::ExtractSpanTrace;

use crate::caught::Caught;
#[cfg(feature = "tracing-error")]
use crate::unwind::ignore_panic;

/// Returns the spans in which a failure has arisen, in lines.
#[cfg(feature = "tracing-error")]
pub(super) fn spans(caught: &Caught) -> Option<String> {
    let trace = caught.span_trace()?;
    let mut text = String::new();
    ignore_panic(|| _ = write!(text, "{trace}"));
    Some(text)
}

/// Returns whether an error only holds the spans of the one before it.
#[cfg(feature = "tracing-error")]
pub(super) fn is_span_trace(error: &(dyn Error + 'static)) -> bool {
    error.span_trace().is_some()
}

#[cfg(not(feature = "tracing-error"))]
pub(super) fn spans(_: &Caught) -> Option<String> {
    None
}

#[cfg(not(feature = "tracing-error"))]
pub(super) fn is_span_trace(_: &(dyn Error + 'static)) -> bool {
    false
}
