//! Guards that record how a function was left.

use std::{
    panic,
    sync::{Arc, Mutex},
    thread,
};

use crate::request::exception;

/// The way in which a function was left before its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Left {
    /// Its future was dropped while it was pending.
    Dropped,
    /// It was unwound.
    Unwound,
}

/// Record of how functions with a [`guard`](Self::guard) were left: one entry for each guard.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<Left>>>);

/// Adds an entry to its [`Trace`] when it is dropped.
pub struct Guard(Trace);

impl Trace {
    pub fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    pub fn left(&self) -> Vec<Left> {
        self.0.lock().unwrap().clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // `panicking` is true during a `resume_unwind` too, which runs no panic hook.
        let left = if thread::panicking() {
            Left::Unwound
        } else {
            Left::Dropped
        };
        self.0.0.lock().unwrap().push(left);
    }
}

#[test]
fn a_guard_distinguishes_an_unwinding_from_a_drop() {
    let trace = Trace::default();
    drop(trace.guard());
    let guard = trace.guard();
    let unwinding = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let _guard = guard;
        exception().raise();
    }));
    assert!(unwinding.is_err());
    assert_eq!(trace.left(), [Left::Dropped, Left::Unwound]);
}
