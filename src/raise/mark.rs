//! What is unwinding on this thread, for those that can only see that something is.
//!
//! A destructor cannot ask for the payload of the unwinding that it runs in. So `raise` leaves a copy of the
//! exception behind, which the exception itself, as the payload, keeps alive: once somebody has caught it, and has
//! dropped it, taken it over or copied it, there is nothing left. Somebody may keep the payload as it is, as the
//! `JoinHandle` of a task that has raised does. So the copy says which task of tokio's has raised, and is not
//! taken for what unwinds in another one: that may have another client.

use std::{
    cell::RefCell,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::task;

use crate::Exception;

thread_local! {
    static UNWINDING: RefCell<Weak<Raised>> = const { RefCell::new(Weak::new()) };
}

struct Raised {
    exception: Exception,
    by: Option<task::Id>,
}

/// How many there are that may ask. As long as there are none, nothing is copied.
static ASKING: AtomicUsize = AtomicUsize::new(0);

/// What keeps the copy alive. A clone of it does not.
#[derive(Default)]
pub(crate) struct Mark {
    _alive: Option<Arc<Raised>>,
}

impl Mark {
    pub(crate) fn of(exception: impl FnOnce() -> Exception) -> Self {
        if ASKING.load(Relaxed) == 0 {
            return Self::default();
        }
        let (exception, by) = (exception(), task::try_id());
        let raised = Arc::new(Raised { exception, by });
        // Fails where the thread is ending. Then nobody asks any more.
        let _ = UNWINDING.try_with(|unwinding| *unwinding.borrow_mut() = Arc::downgrade(&raised));
        Self {
            _alive: Some(raised),
        }
    }
}

impl Clone for Mark {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Somebody who may ask, on whatever thread.
pub(crate) struct Asking(());

impl Asking {
    pub(crate) fn begin() -> Self {
        ASKING.fetch_add(1, Relaxed);
        Self(())
    }

    /// The exception that was raised last on this thread, if nobody has caught it, and if it was in this task.
    pub(crate) fn unwinding(&self) -> Option<Exception> {
        let raised = UNWINDING.try_with(|unwinding| unwinding.borrow().upgrade());
        let raised = raised.ok()??;
        (raised.by == task::try_id()).then(|| raised.exception.clone())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKING.fetch_sub(1, Relaxed);
    }
}
