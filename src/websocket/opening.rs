//! The future that opens a connection, which is polled without a task.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
};

use tokio::task::unconstrained;

/// Future that opens the connection and gives it to the application. If the real upgrade fails, the
/// application's upgrade fails too.
pub(crate) struct Opening {
    future: Mutex<Option<PolledFuture>>,
    /// Number of wakes that no poll has answered yet.
    wakes: AtomicUsize,
}

type PolledFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Opening {
    /// Polls `future` once, and leaves it at that until [`start`](Self::start).
    pub(crate) fn new(future: impl Future<Output = ()> + Send + 'static) -> Self {
        // The budget of a task that happens to poll it is for the work of that task.
        let mut future: PolledFuture = Box::pin(unconstrained(future));
        let mut cx = Context::from_waker(Waker::noop());
        let is_ready = future.as_mut().poll(&mut cx).is_ready();
        Self {
            future: Mutex::new((!is_ready).then_some(future)),
            wakes: AtomicUsize::new(0),
        }
    }

    /// Runs the future. It has one event to wait for, the real upgrade, and little to do then. So
    /// the code that wakes it polls it too. That is hyper, which has no lock at that time.
    pub(crate) fn start(self) {
        Arc::new(self).wake();
    }
}

impl Wake for Opening {
    fn wake(self: Arc<Self>) {
        if self.wakes.fetch_add(1, Ordering::AcqRel) > 0 {
            // A poll is under way and is repeated.
            return;
        }
        let waker = Waker::from(Arc::clone(&self));
        let mut cx = Context::from_waker(&waker);
        let mut answered = 1;
        while answered > 0 {
            let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(polled) = &mut *future {
                if polled.as_mut().poll(&mut cx).is_ready() {
                    *future = None;
                }
            }
            drop(future);
            answered = self.wakes.fetch_sub(answered, Ordering::AcqRel) - answered;
        }
    }
}
