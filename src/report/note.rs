//! The note of a failure in the extensions of its response, for classifiers of responses.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::Response;

use super::{
    Outcome,
    error_type::{ErrorClass, ErrorTypes},
    server_fault::is_server_fault,
};
use crate::{caught::failure::Failure, escape::Escaped, unwind::catch_or};

/// Whether a classifier was made that reads notes. Without one, none is written: an extension
/// takes three allocations.
static IS_READ: AtomicBool = AtomicBool::new(false);

/// Private extension of a response: the failure to which it responds.
#[derive(Clone, Debug)]
pub(crate) struct FailureNote {
    /// The `error.type`.
    pub(crate) error_type: Box<str>,
    pub(crate) outcome: Outcome,
    pub(crate) is_server_fault: bool,
}

/// Lets every failure leave a note from now on.
pub(crate) fn read_notes() {
    IS_READ.store(true, Relaxed);
}

/// Leaves a note of `failure` in the response to it, if anybody reads it.
#[inline]
pub(super) fn leave_note<B>(
    response: &mut Response<B>,
    failure: &Failure,
    types: Option<&ErrorTypes>,
) {
    if IS_READ.load(Relaxed) {
        leave(response, failure, types);
    }
}

#[cold]
fn leave<B>(response: &mut Response<B>, failure: &Failure, types: Option<&ErrorTypes>) {
    let outcome = Outcome::of(response);
    // The search for a type runs user code.
    let note = catch_or(None, || {
        let class = ErrorClass::of(failure, outcome, types);
        Some(FailureNote {
            error_type: Escaped(class).to_string().into(),
            outcome,
            is_server_fault: is_server_fault(failure, outcome),
        })
    });
    if let Some(note) = note {
        response.extensions_mut().insert(note);
    }
}
