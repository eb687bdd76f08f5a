//! Whether the server has to look into a failure.

use super::Outcome;
use crate::{
    caught::{Mechanism, Phase, failure::Failure},
    exception::{CloseCode, Exception},
};

/// Returns whether the server has to look into a failure: a 5xx over HTTP, and its likes elsewhere.
pub(super) fn is_server_fault(failure: &Failure, outcome: Outcome) -> bool {
    let is_fault =
        failure.mechanism == Mechanism::Panicked || is_fault_by_outcome(outcome, failure.phase);
    let is_harmless = || failure.client_fault().is_some() || is_abandoned_refusal(failure, outcome);
    is_fault && !is_harmless()
}

fn is_fault_by_outcome(outcome: Outcome, phase: Phase) -> bool {
    match outcome {
        Outcome::Status(status) => status.is_server_error(),
        Outcome::Grpc(code) => code.http_status().is_server_error(),
        Outcome::Close(code) => code == CloseCode::INTERNAL_ERROR,
        // A failure after the WebSocket has closed is expected.
        Outcome::Aborted => phase != Phase::WebSocket,
    }
}

/// Returns whether a failure was caught before the head of the response was sent, and would not
/// have been a fault of the server. The client has left.
fn is_abandoned_refusal(failure: &Failure, outcome: Outcome) -> bool {
    let is_before_head = failure.phase != Phase::Body || failure.mechanism == Mechanism::Adopted;
    match failure.as_exception() {
        Some(Exception::Http(exception)) => {
            outcome == Outcome::Aborted && is_before_head && !exception.status().is_server_error()
        }
        _ => false,
    }
}
