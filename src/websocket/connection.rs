//! One connection, from the request for a WebSocket until it is closed.

use std::{
    future::{Future, ready},
    io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    thread,
};

use hyper::upgrade::Upgraded;
use tokio::{runtime::Handle, task::JoinHandle, time::Instant};

use super::{
    close::{CloseReason, CloseSettings, close},
    closed_error::{closed_error, is_caused_by_close},
    io::TrackedIo,
    library_errors::says_closed,
    peer_frames::Extensions,
    registry::{Registration, Registry},
    span::RequestSpan,
    wakers::{Direction, Wakers},
};
use crate::{
    handling::RequestContext,
    raise::unwinding::{UnwindWatcher, unwinding_panic},
    report::Outcome,
};

/// Connection that is a WebSocket or may become one.
///
/// The application reads and writes it through an `InterceptedIo`. A `WebSocketHandle` and
/// `WebSockets::close_all` can close it.
pub(crate) struct Connection {
    context: RequestContext,
    settings: CloseSettings,
    registry: Arc<Registry<Connection>>,
    runtime: Handle,
    watcher: UnwindWatcher,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    /// Whether the application still has its `InterceptedIo`.
    io_held: bool,
    /// Number of active [`CatchGuard`]s.
    ///
    /// While there is one, a dropped `InterceptedIo` does not close the connection: the future that
    /// has dropped it may be about to fail, and that failure is the reason to close with.
    active_catches: usize,
    wakers: Wakers,
    registration: Option<Registration<Connection>>,
    /// Span in which failures are handled and reported.
    span: RequestSpan,
    /// Whether a catch was dropped before its future had completed.
    is_cancelled: bool,
    /// Extensions of the WebSocket. `None` if the response has not opened one.
    extensions: Option<Extensions>,
}

enum Stage {
    /// The handshake has not ended. If there is a reason, the connection is closed when it opens.
    Opening(Option<CloseReason>),
    Open(Box<TrackedIo>),
    /// The closing handshake has begun or ended, or the opening handshake has failed.
    Closed,
}

impl Connection {
    pub(crate) fn new(
        context: RequestContext,
        settings: CloseSettings,
        registry: Arc<Registry<Self>>,
        runtime: Handle,
    ) -> Arc<Self> {
        Arc::new(Self {
            context,
            settings,
            registry,
            runtime,
            watcher: UnwindWatcher::new(),
            state: Mutex::new(State {
                stage: Stage::Opening(None),
                io_held: true,
                active_catches: 0,
                wakers: Wakers::default(),
                registration: None,
                span: RequestSpan::current(),
                is_cancelled: false,
                extensions: None,
            }),
        })
    }

    /// Counts the connection as a live WebSocket. The response has accepted the handshake and these
    /// extensions.
    pub(crate) fn register(self: &Arc<Self>, extensions: Extensions) {
        let (registration, exception) = self.registry.register(self);
        let mut state = self.state();
        state.registration = Some(registration);
        state.extensions = Some(extensions);
        drop(state);
        if let Some(exception) = exception {
            self.close(CloseReason::Requested(exception));
        }
    }

    /// Opens the connection after the handshake.
    pub(crate) fn open(self: &Arc<Self>, io: Upgraded) {
        let mut state = self.state();
        if let Stage::Opening(reason) = &mut state.stage {
            let reason = reason.take();
            state.stage = Stage::Open(Box::new(TrackedIo::new(io, state.extensions)));
            drop(state);
            if let Some(reason) = reason {
                self.close(reason);
            }
        }
    }

    /// Takes over the span of the task that answers the handshake.
    pub(crate) fn update_span(&self) {
        self.state().span.update();
    }

    /// Takes the connection away from the application and closes it. The first reason wins.
    ///
    /// Returns the closing task if it could be started at once.
    pub(crate) fn close(self: &Arc<Self>, reason: CloseReason) -> Option<JoinHandle<()>> {
        let mut state = self.state();
        match &mut state.stage {
            Stage::Open(_) => self.start_closing(state, |_| ready(reason)),
            Stage::Opening(first @ None) => {
                *first = Some(reason);
                None
            }
            Stage::Opening(Some(_)) | Stage::Closed => {
                drop(state);
                self.report_late(reason);
                None
            }
        }
    }

    /// Closes the connection, if it is open, because the application drops it on this thread.
    fn close_dropped(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let Stage::Open(io) = &mut state.stage else {
            return;
        };
        if !thread::panicking() {
            // Without a close frame to send or to wait for, no task is needed.
            if self.settings.on_drop.is_some() && io.try_shutdown() {
                return drop(take_io(state));
            }
            let reason = CloseReason::of_drop(state.is_cancelled);
            self.start_closing(state, |_| ready(reason));
            return;
        }
        let record = unwinding_panic();
        let claim = self.watcher.claim();
        self.start_closing(state, async |deadline| {
            let raised = match claim {
                Some(claim) => claim.resolve(deadline).await,
                None => None,
            };
            CloseReason::of_unwinding(raised, record)
        });
    }

    /// Starts the closing task of an open connection. The task waits for the reason to close.
    fn start_closing<F: Future<Output = CloseReason> + Send + 'static>(
        self: &Arc<Self>,
        state: MutexGuard<'_, State>,
        reason: impl FnOnce(Instant) -> F,
    ) -> Option<JoinHandle<()>> {
        let span = state.span.clone();
        // Wakes tasks first: tokio runs the task that is spawned last next on this thread.
        let (io, registration) = take_io(state)?;
        let this = Arc::clone(self);
        let deadline = Instant::now() + self.settings.timeout;
        let reason = reason(deadline);
        Some(self.runtime.spawn(span.instrument(async move {
            let on_drop = this.settings.on_drop;
            close(&this.context, on_drop, io, reason.await, deadline).await;
            drop(registration);
        })))
    }

    /// Closes the connection after the application has dropped its `InterceptedIo`.
    pub(crate) fn on_io_dropped(self: &Arc<Self>) {
        let mut state = self.state();
        state.io_held = false;
        let is_caught = state.active_catches > 0;
        match &mut state.stage {
            // The handshake has failed or was rejected.
            Stage::Opening(reason) => {
                let reason = reason.take();
                state.stage = Stage::Closed;
                let registration = state.registration.take();
                drop(state);
                drop(registration);
                reason
                    .into_iter()
                    .for_each(|reason| self.report_late(reason));
            }
            _ if !is_caught => self.close_dropped(state),
            // No close frame can carry the failure of an active catch, so do not wait for it.
            Stage::Open(io) if !io.can_send_close() => {
                self.start_closing(state, |_| ready(CloseReason::Dropped));
            }
            Stage::Open(_) | Stage::Closed => {}
        }
    }

    /// Begins a catch, which delays the close until it has ended.
    pub(super) fn begin_catch(&self) {
        self.state().active_catches += 1;
    }

    /// Ends a catch, whose future has completed unless it was dropped before.
    pub(super) fn end_catch(self: &Arc<Self>, is_complete: bool) {
        let mut state = self.state();
        state.active_catches -= 1;
        state.is_cancelled |= !is_complete;
        if state.active_catches == 0 && !state.io_held {
            self.close_dropped(state);
        }
    }

    /// Runs one poll of the application, and registers its waker for the direction.
    pub(crate) fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        poll: impl FnOnce(&mut TrackedIo, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let poll = self.poll_open(cx, direction, poll);
        // After the poll: a connection of an outer layer is polled by this one.
        self.watcher.on_poll();
        poll
    }

    fn poll_open<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        poll: impl FnOnce(&mut TrackedIo, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.state();
        let Stage::Open(io) = &mut state.stage else {
            return Poll::Ready(Err(closed_error()));
        };
        let poll = poll(io, cx);
        if poll.is_pending() {
            state.wakers.register(direction, cx);
        }
        poll
    }

    pub(crate) fn is_write_vectored(&self) -> bool {
        matches!(&self.state().stage, Stage::Open(io) if io.is_write_vectored())
    }

    /// Reports a failure for which the connection cannot be closed: it never opened, or has another
    /// reason to close. A failure that the close itself has caused, or that only says that the
    /// connection is closed, is not reported.
    #[cold]
    fn report_late(&self, reason: CloseReason) {
        if let CloseReason::Failed(failure) = reason {
            if !is_caused_by_close(&failure) && !says_closed(&failure) {
                let span = self.state().span.clone();
                span.run(|| self.context.report_failure(failure, Outcome::Aborted));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes an open connection away from the application, and wakes the tasks that wait for it.
/// Returns its membership too, which has to end after it.
fn take_io(
    mut state: MutexGuard<'_, State>,
) -> Option<(Box<TrackedIo>, Option<Registration<Connection>>)> {
    let stage = mem::replace(&mut state.stage, Stage::Closed);
    let Stage::Open(io) = stage else {
        state.stage = stage;
        return None;
    };
    let registration = state.registration.take();
    let wakers = mem::take(&mut state.wakers);
    drop(state);
    wakers.wake();
    Some((io, registration))
}
