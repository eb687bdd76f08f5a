//! The counter of failures, by the facade `metrics`.

use metrics::{SharedString, counter};

use super::{
    Outcome,
    error_type::{ErrorClass, kind_name},
    reporting::ReportContext,
};
use crate::caught::failure::Failure;

/// Counts a failure. The caller contains a panic of the recorder and of user code.
pub(super) fn count(failure: &Failure, layer: Option<ReportContext<'_>>, outcome: Outcome) {
    let types = layer.map(|layer| &layer.reporting.types);
    let error_class = ErrorClass::of(failure, outcome, types);
    let error_class = error_class.bounded(failure);
    counter!(
        "tower_exception_failures_total",
        "kind" => kind_name(failure),
        "mechanism" => failure.mechanism.as_str(),
        "phase" => failure.phase.as_str(),
        "outcome" => outcome_label(outcome),
        "error_type" => label(&error_class),
    )
    .increment(1);
}

/// Returns the status, the code of gRPC or of the close frame, or `aborted`. No two of them are
/// alike: close codes begin at 1000.
fn outcome_label(outcome: Outcome) -> SharedString {
    match outcome {
        Outcome::Status(status) => status.as_str().to_owned().into(),
        Outcome::Grpc(code) => code.name().into(),
        Outcome::Close(code) => code.as_u16().to_string().into(),
        Outcome::Aborted => "aborted".into(),
    }
}

fn label(class: &ErrorClass<'_>) -> SharedString {
    match class {
        ErrorClass::Name(name) => (*name).into(),
        other => other.to_string().into(),
    }
}
