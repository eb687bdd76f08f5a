//! Copy of the exception that is unwinding on this thread, for destructors.
//!
//! A destructor can see that its thread unwinds, but cannot read the payload. So `raise` leaves a
//! copy of the exception for destructors. The exception itself, which is the payload, keeps the
//! copy alive. Once user code or the layer has caught the payload and has dropped, converted or
//! copied the exception, the copy is gone.
//!
//! The payload may also stay as it is, as in the `JoinHandle` of a task that has raised. So the
//! copy records which tokio task has raised it. Another task that unwinds may serve another client,
//! and does not see the copy.

use std::{
    cell::RefCell,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::task;

use crate::exception::{Exception, HttpException, UnwindToken, WebSocketException};

thread_local! {
    static UNWINDING: RefCell<Weak<UnwindingException>> = const { RefCell::new(Weak::new()) };
}

struct UnwindingException {
    exception: Exception,
    task: Option<task::Id>,
}

/// Number of watchers on all threads. While there are none, nothing is copied.
static WATCHERS: AtomicUsize = AtomicUsize::new(0);

/// Leaves a copy of `exception`, which is about to unwind, for the watchers.
pub(super) fn remember_http(mut exception: HttpException) -> HttpException {
    exception.set_unwind_token(remember(|| Exception::Http(exception.clone())));
    exception
}

/// Leaves a copy of `exception`, which is about to unwind, for the watchers.
pub(super) fn remember_websocket(mut exception: WebSocketException) -> WebSocketException {
    exception.set_unwind_token(remember(|| Exception::WebSocket(exception.clone())));
    exception
}

/// Remembers a copy for as long as the returned token lives.
fn remember(copy: impl FnOnce() -> Exception) -> UnwindToken {
    if WATCHERS.load(Relaxed) == 0 {
        return UnwindToken::default();
    }
    let (exception, task) = (copy(), task::try_id());
    let raised = Arc::new(UnwindingException { exception, task });
    // Fails if the thread is ending. Then no watcher asks any more.
    let _ = UNWINDING.try_with(|unwinding| *unwinding.borrow_mut() = Arc::downgrade(&raised));
    UnwindToken::new(raised)
}

/// Owner of a destructor that may ask which exception unwinds, on any thread.
pub(crate) struct UnwindWatcher(());

impl UnwindWatcher {
    pub(crate) fn new() -> Self {
        WATCHERS.fetch_add(1, Relaxed);
        Self(())
    }

    /// Returns the exception that was raised last on this thread, if nothing has caught it and if
    /// this task has raised it.
    pub(crate) fn unwinding(&self) -> Option<Exception> {
        let raised = UNWINDING.try_with(|unwinding| unwinding.borrow().upgrade());
        let raised = raised.ok()??;
        (raised.task == task::try_id()).then(|| raised.exception.clone())
    }
}

impl Drop for UnwindWatcher {
    fn drop(&mut self) {
        WATCHERS.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raise::poll::downcast_payload;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Asks in its destructor which exception unwinds.
    struct Asks<'a>(&'a UnwindWatcher, &'a mut Option<Exception>);

    impl Drop for Asks<'_> {
        fn drop(&mut self) {
            *self.1 = self.0.unwinding();
        }
    }

    #[test]
    fn a_destructor_sees_the_exception_until_its_payload_is_downcast() {
        let watcher = UnwindWatcher::new();
        assert!(watcher.unwinding().is_none());
        let mut seen = None;
        let asks = Asks(&watcher, &mut seen);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _asks = asks;
            HttpException::gone("sold out").raise()
        }));
        assert_eq!(seen.map(|seen| seen.to_string()).unwrap(), "410: sold out");
        assert!(watcher.unwinding().is_some());
        let caught = downcast_payload(result.map(|()| {}).unwrap_err());
        assert!(watcher.unwinding().is_none());
        drop(caught);
    }

    #[test]
    fn a_copy_of_the_exception_does_not_keep_it_visible() {
        let watcher = UnwindWatcher::new();
        let exception = remember_http(HttpException::gone("sold out"));
        let copy = exception.clone();
        assert!(watcher.unwinding().is_some());
        drop(exception);
        assert!(watcher.unwinding().is_none());
        drop(copy);
    }
}
