//! Copy of the exception that is unwinding on this thread, for the destructors of connections.
//!
//! A destructor can see that its thread unwinds, but cannot read the payload. So `raise` leaves a
//! copy of the exception for destructors. There may be several connections, and an exception is
//! for the client of one of them. So a copy has to be used by the connection whose code has raised
//! the exception, in the unwinding that this has begun, or else by none.
//!
//! The payload bounds the life of the copy: it holds the [`UnwindToken`], and when user code or the
//! layer has caught the payload and has dropped, converted or copied the exception, the copy is
//! gone. That is not enough, because user code may store the payload: in the `JoinHandle` of a
//! task, in the output of a `catch_unwind`. So a connection gets the copy only if all of these
//! hold:
//!
//! 1. *It is dropped in an unwinding on the thread that has raised*, and no connection was polled
//!    there without unwinding since. An unwinding is one stretch of one thread. A poll outside of
//!    any unwinding proves that the stretch is over, and ends the copy.
//! 2. *The same tokio task has raised.* Another task on the thread serves other requests.
//! 3. *The task has not polled another connection last.* Most code raises for the client that it
//!    has just heard of. Outside of tokio tasks nothing tells tasks apart, so there the connection
//!    itself has to be the one that the thread has polled last.
//! 4. *No other connection of the task asks for the copy*, before or after. A task may own several
//!    connections, and an unwinding of that task drops them all. Nothing tells which of them the
//!    exception is for, so it is for none. If an unwinding drops one connection only, the exception
//!    comes from code inside of that connection's owner. A later unwinding may drop another
//!    connection while the payload still exists. The first one has used up the copy by then.
//!
//! The fourth condition looks ahead: the first connection that asks cannot see whether another one
//! will. So it gets a [`Claim`], which the closing task resolves when the unwinding is over. That
//! is so if the payload has been dropped, if the thread that has raised polls a connection outside
//! of any unwinding, or if the closing task itself runs on that thread. One of these usually
//! happens at once. If none does, because the payload is stored and the thread is idle or busy
//! elsewhere, the unwinding counts as over after [`MAX_WAIT`]. If a destructor blocks for longer
//! than that, connections that are dropped after it get nothing.
//!
//! An error of another type cannot be copied. Its payload ([`ErrorPayload`]) is dropped if nothing
//! catches it, and then moves the error to where the copy of an exception would be.
//!
//! An exception that is raised while the thread unwinds already never leaves its destructor, so no
//! copy is made of it.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    thread::{self, ThreadId},
    time::Duration,
};

use tokio::{
    sync::Notify,
    task,
    time::{Instant, timeout_at},
};

use super::raised::Raised;
use crate::{
    error::Error,
    exception::{Exception, HttpException, UnwindToken, WebSocketException},
    panic_record::{self, SharedRecord},
};

thread_local! {
    /// The copy of the last exception that this thread has raised by unwinding.
    static UNWINDING: RefCell<Weak<UnwindingException>> = const { RefCell::new(Weak::new()) };

    /// Whether [`UNWINDING`] may hold a copy. It has no destructor, so that access to it is one
    /// instruction.
    static MAY_HOLD_COPY: Cell<bool> = const { Cell::new(false) };

    /// The connection that this thread has polled last, and the task that has polled it.
    static LAST_POLLED: Cell<Option<(WatcherId, Option<task::Id>)>> = const { Cell::new(None) };
}

/// Number of watchers on all threads. While there are none, nothing is copied.
static WATCHERS: AtomicUsize = AtomicUsize::new(0);

/// Longest time to wait for the end of an unwinding on another thread: thousands of times what an
/// unwinding takes, and too short for a client to notice.
const MAX_WAIT: Duration = Duration::from_millis(50);

type WatcherId = u64;

struct UnwindingException {
    /// A copy of an exception. An error of another type is not here before its payload is dropped.
    raised: Mutex<Option<Raised>>,
    thread: ThreadId,
    task: Option<task::Id>,
    /// The connection that `task` has polled last, if known.
    last_polled: Option<WatcherId>,
    /// Number of connections that have asked for the copy.
    claims: AtomicUsize,
    /// Whether the unwinding is known to be over.
    is_over: AtomicBool,
    /// Notified when the unwinding is known to be over.
    over: Notify,
}

impl UnwindingException {
    fn end(&self) {
        self.is_over.store(true, Release);
        self.over.notify_one();
    }

    fn raised(&self) -> MutexGuard<'_, Option<Raised>> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        let is_on_its_thread = thread::current().id() == self.thread && !thread::panicking();
        is_on_its_thread || self.is_over.load(Acquire)
    }
}

/// Payload of an error that is no exception, and so cannot be copied.
///
/// If it is dropped because nothing has caught the error, the connection gets the error.
pub(super) struct ErrorPayload {
    error: Option<Error>,
    unwinding: Unwinding,
}

impl ErrorPayload {
    pub(super) fn take(&mut self) -> Option<Error> {
        self.error.take()
    }
}

impl Drop for ErrorPayload {
    fn drop(&mut self) {
        if let Some(error) = self.error.take() {
            *self.unwinding.0.raised() = Some(Raised::Error(error));
        }
    }
}

/// Part of the payload. Its end is the end of the unwinding.
struct Unwinding(Arc<UnwindingException>);

impl Drop for Unwinding {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Leaves a copy of `exception`, which is about to unwind, for the watchers.
pub(super) fn remember_http(mut exception: HttpException) -> HttpException {
    if let Some(unwinding) = remember(|| Some(Exception::Http(exception.clone()))) {
        exception.set_unwind_token(UnwindToken::new(Box::new(unwinding)));
    }
    exception
}

/// Leaves a copy of `exception`, which is about to unwind, for the watchers.
pub(super) fn remember_websocket(mut exception: WebSocketException) -> WebSocketException {
    if let Some(unwinding) = remember(|| Some(Exception::WebSocket(exception.clone()))) {
        exception.set_unwind_token(UnwindToken::new(Box::new(unwinding)));
    }
    exception
}

/// Returns the payload of `error`, which is about to unwind.
pub(super) fn remember_error(error: Error) -> Box<dyn Any + Send> {
    match remember(|| None) {
        Some(unwinding) => Box::new(ErrorPayload {
            error: Some(error),
            unwinding,
        }),
        None => Box::new(error),
    }
}

/// Remembers that something unwinds, for as long as the returned value lives. `copy` returns the
/// exception, if it is one.
fn remember(copy: impl FnOnce() -> Option<Exception>) -> Option<Unwinding> {
    if WATCHERS.load(Relaxed) == 0 || thread::panicking() {
        return None;
    }
    let task = task::try_id();
    let last_polled = LAST_POLLED.get().filter(|(_, other)| *other == task);
    let raised = Arc::new(UnwindingException {
        raised: Mutex::new(copy().map(Raised::Exception)),
        thread: thread::current().id(),
        task,
        last_polled: last_polled.map(|(watcher, _)| watcher),
        claims: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        over: Notify::new(),
    });
    // Fails if the thread is ending. Then no watcher asks any more.
    let _ = UNWINDING.try_with(|unwinding| *unwinding.borrow_mut() = Arc::downgrade(&raised));
    MAY_HOLD_COPY.set(true);
    Some(Unwinding(raised))
}

/// Records that a panic is about to unwind, so that the next poll of a connection ends it.
pub(crate) fn on_panic() {
    if WATCHERS.load(Relaxed) != 0 {
        MAY_HOLD_COPY.set(true);
    }
}

/// Returns the record of the panic that unwinds on this thread, if no exception does.
pub(crate) fn unwinding_panic() -> Option<SharedRecord> {
    let raised = UNWINDING.try_with(|unwinding| unwinding.borrow().upgrade());
    match raised {
        Ok(None) => panic_record::of_unwinding(),
        _ => None,
    }
}

/// Takes the copy of this thread, if it has one.
fn take_copy() -> Option<Arc<UnwindingException>> {
    MAY_HOLD_COPY.set(false);
    let copy = UNWINDING.try_with(|unwinding| unwinding.take());
    copy.ok()?.upgrade()
}

/// Connection whose destructor may ask which exception unwinds, on any thread.
pub(crate) struct UnwindWatcher {
    id: WatcherId,
}

impl UnwindWatcher {
    pub(crate) fn new() -> Self {
        static LAST_ID: AtomicU64 = AtomicU64::new(0);
        WATCHERS.fetch_add(1, Relaxed);
        let id = LAST_ID.fetch_add(1, Relaxed) + 1;
        Self { id }
    }

    /// Records that the application has polled the connection on this thread.
    #[inline]
    pub(crate) fn on_poll(&self) {
        if MAY_HOLD_COPY.get() {
            end_unwinding();
        }
        LAST_POLLED.set(Some((self.id, task::try_id())));
    }

    /// Claims the exception that unwinds on this thread, for a connection that is dropped by that.
    ///
    /// Returns `None` if the exception is certainly not for this connection, or if there is none.
    #[cold]
    pub(crate) fn claim(&self) -> Option<Claim> {
        let raised = UNWINDING.try_with(|unwinding| unwinding.borrow().upgrade());
        let raised = raised.ok()??;
        if raised.task != task::try_id() || raised.is_over.load(Acquire) {
            return None;
        }
        let is_first = raised.claims.fetch_add(1, AcqRel) == 0;
        let is_possible = match raised.last_polled {
            None => raised.task.is_some(),
            Some(last) => last == self.id,
        };
        (is_first && is_possible).then_some(Claim(raised))
    }
}

impl Drop for UnwindWatcher {
    fn drop(&mut self) {
        WATCHERS.fetch_sub(1, Relaxed);
    }
}

/// Ends the copy of this thread, unless the thread still unwinds.
#[cold]
fn end_unwinding() {
    if !thread::panicking() {
        panic_record::end_unwinding();
        if let Some(raised) = take_copy() {
            raised.end();
        }
    }
}

/// Claim of a connection to the exception that unwinds.
pub(crate) struct Claim(Arc<UnwindingException>);

impl Claim {
    /// Waits until the unwinding is over, at the latest until `deadline`, and returns the exception
    /// or error if no other connection has claimed it. An error that was caught is not returned.
    pub(crate) async fn resolve(self, deadline: Instant) -> Option<Raised> {
        let raised = &self.0;
        if !raised.is_over() {
            let give_up = deadline.min(Instant::now() + MAX_WAIT);
            let _ = timeout_at(give_up, raised.over.notified()).await;
        }
        let is_only_claim = raised.claims.load(Acquire) == 1;
        is_only_claim.then(|| raised.raised().take()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    /// Connection that claims the exception in its destructor, if its thread unwinds.
    struct Connection<'a>(&'a UnwindWatcher, &'a mut Option<Claim>);

    impl Drop for Connection<'_> {
        fn drop(&mut self) {
            if thread::panicking() {
                *self.1 = self.0.claim();
            }
        }
    }

    fn sold_out() -> HttpException {
        HttpException::gone("sold out")
    }

    /// Runs `code`, which drops connections in an unwinding, and returns the payload.
    fn unwound(code: impl FnOnce()) -> Box<dyn std::any::Any + Send> {
        catch_unwind(AssertUnwindSafe(code)).unwrap_err()
    }

    async fn resolved(claim: Option<Claim>) -> Option<String> {
        let deadline = Instant::now() + MAX_WAIT;
        let raised = claim?.resolve(deadline).await?;
        Some(raised.into_error().to_string())
    }

    #[tokio::test]
    async fn the_connection_that_an_exception_drops_gets_it_once() {
        tokio::spawn(async {
            let watcher = UnwindWatcher::new();
            let (mut first, mut second) = (None, None);
            let payload = unwound(|| {
                let _connection = Connection(&watcher, &mut first);
                sold_out().raise()
            });
            assert_eq!(resolved(first).await.unwrap(), "410: sold out");
            // The payload is stored, and another unwinding begins.
            unwound(|| {
                let _connection = Connection(&watcher, &mut second);
                resume_unwind(Box::new(()))
            });
            assert!(second.is_none());
            drop(payload);
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn an_exception_that_drops_two_connections_is_for_none() {
        tokio::spawn(async {
            let watchers = [UnwindWatcher::new(), UnwindWatcher::new()];
            watchers[0].on_poll();
            let [mut first, mut second] = [None, None];
            let _payload = unwound(|| {
                let _second = Connection(&watchers[1], &mut second);
                let _first = Connection(&watchers[0], &mut first);
                sold_out().raise()
            });
            assert!(resolved(first).await.is_none());
            assert!(second.is_none());
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn an_exception_is_not_for_a_connection_other_than_the_last_polled() {
        tokio::spawn(async {
            let watchers = [UnwindWatcher::new(), UnwindWatcher::new()];
            watchers[0].on_poll();
            let mut second = None;
            let _payload = unwound(|| {
                let _second = Connection(&watchers[1], &mut second);
                sold_out().raise()
            });
            assert!(second.is_none());
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_poll_outside_of_an_unwinding_ends_the_copy() {
        tokio::spawn(async {
            let watcher = UnwindWatcher::new();
            let mut claim = None;
            let _payload = unwound(|| sold_out().raise());
            watcher.on_poll();
            unwound(|| {
                let _connection = Connection(&watcher, &mut claim);
                resume_unwind(Box::new(()))
            });
            assert!(claim.is_none());
        })
        .await
        .unwrap();
    }

    #[test]
    fn outside_of_tasks_an_exception_is_only_for_the_connection_polled_last() {
        let watcher = UnwindWatcher::new();
        let (mut before, mut after) = (None, None);
        unwound(|| {
            let _connection = Connection(&watcher, &mut before);
            sold_out().raise()
        });
        assert!(before.is_none());
        watcher.on_poll();
        unwound(|| {
            let _connection = Connection(&watcher, &mut after);
            sold_out().raise()
        });
        assert!(after.is_some());
    }

    #[test]
    fn a_claim_on_another_thread_is_resolved_although_the_payload_is_stored() {
        let watcher = UnwindWatcher::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                watcher.on_poll();
                let mut claim = None;
                let payload = unwound(|| {
                    let _connection = Connection(&watcher, &mut claim);
                    sold_out().raise()
                });
                let claim = claim.unwrap();
                assert!(claim.0.is_over());
                // The payload is stored.
                sender.send((claim, payload)).unwrap();
            });
            let (claim, _payload) = receiver.recv().unwrap();
            assert!(!claim.0.is_over());
            let resolved = runtime.block_on(resolved(Some(claim)));
            assert_eq!(resolved.unwrap(), "410: sold out");
        });
    }

    #[test]
    fn a_caught_exception_or_a_copy_of_it_is_not_visible() {
        let watcher = UnwindWatcher::new();
        let exception = remember_http(sold_out());
        let copy = exception.clone();
        assert!(UNWINDING.with_borrow(Weak::upgrade).is_some());
        drop(exception);
        assert!(UNWINDING.with_borrow(Weak::upgrade).is_none());
        drop((copy, watcher));
    }
}
