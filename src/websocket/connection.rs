//! One connection, from the request for a WebSocket until it is closed.

use std::{
    error::Error,
    fmt, io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use hyper::upgrade::Upgraded;
use tokio::{runtime::Handle, task::JoinHandle, time::Instant};

use super::{
    close::{CloseReason, CloseSettings, close},
    io::TrackedIo,
    registry::{Registration, Registry},
};
use crate::{
    error::sources, handling::RequestContext, raise::unwinding::UnwindWatcher, report::Outcome,
    unwind::catch_or,
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
    /// Waker of the task that reads, which is woken when the connection is taken away from it.
    read_waker: Option<Waker>,
    /// Waker of the task that writes.
    write_waker: Option<Waker>,
    registration: Option<Registration<Connection>>,
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
        let state = State {
            stage: Stage::Opening(None),
            io_held: true,
            active_catches: 0,
            read_waker: None,
            write_waker: None,
            registration: None,
        };
        Arc::new(Self {
            context,
            settings,
            registry,
            runtime,
            watcher: UnwindWatcher::new(),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Counts the connection as a live WebSocket. The response has accepted the handshake.
    pub(crate) fn register(self: &Arc<Self>) {
        let (registration, exception) = self.registry.register(self);
        self.state().registration = Some(registration);
        if let Some(exception) = exception {
            self.close(CloseReason::Requested(exception));
        }
    }

    /// Opens the connection after the handshake.
    pub(crate) fn open(self: &Arc<Self>, io: Upgraded) {
        let mut state = self.state();
        if let Stage::Opening(reason) = &mut state.stage {
            let reason = reason.take();
            let is_websocket = state.registration.is_some();
            state.stage = Stage::Open(Box::new(TrackedIo::new(io, is_websocket)));
            drop(state);
            if let Some(reason) = reason {
                self.close(reason);
            }
        }
    }

    /// Takes the connection away from the application and closes it. The first reason wins.
    ///
    /// Returns the closing task if it could be started at once.
    pub(crate) fn close(self: &Arc<Self>, reason: CloseReason) -> Option<JoinHandle<()>> {
        let mut state = self.state();
        let io = match mem::replace(&mut state.stage, Stage::Closed) {
            Stage::Open(io) => io,
            Stage::Opening(None) => {
                state.stage = Stage::Opening(Some(reason));
                return None;
            }
            stage @ (Stage::Opening(Some(_)) | Stage::Closed) => {
                state.stage = stage;
                drop(state);
                self.report_late(reason);
                return None;
            }
        };
        let wakers = [state.read_waker.take(), state.write_waker.take()];
        let registration = state.registration.take();
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        let this = Arc::clone(self);
        let deadline = Instant::now() + self.settings.timeout;
        Some(self.runtime.spawn(async move {
            let on_drop = this.settings.on_drop;
            close(&this.context, on_drop, io, reason, deadline).await;
            drop(registration);
        }))
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
            _ if !is_caught => {
                drop(state);
                self.close(CloseReason::of_drop(&self.watcher));
            }
            // No close frame can carry the failure of an active catch, so do not wait for it.
            Stage::Open(io) if !io.can_send_close() => {
                drop(state);
                self.close(CloseReason::Dropped);
            }
            Stage::Open(_) | Stage::Closed => {}
        }
    }

    /// Begins a catch, which delays the close until it has ended.
    pub(crate) fn begin_catch(self: &Arc<Self>) -> CatchGuard {
        self.state().active_catches += 1;
        CatchGuard(Arc::clone(self))
    }

    /// Runs one poll of the application, and registers its waker for the direction.
    pub(crate) fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        poll: impl FnOnce(&mut TrackedIo, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.state();
        let Stage::Open(io) = &mut state.stage else {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                ConnectionClosed,
            )));
        };
        let poll = poll(io, cx);
        if poll.is_pending() {
            let waker = match direction {
                Direction::Read => &mut state.read_waker,
                Direction::Write => &mut state.write_waker,
            };
            match waker {
                Some(waker) => waker.clone_from(cx.waker()),
                None => *waker = Some(cx.waker().clone()),
            }
        }
        poll
    }

    pub(crate) fn is_write_vectored(&self) -> bool {
        match &self.state().stage {
            Stage::Open(io) => io.is_write_vectored(),
            Stage::Opening(_) | Stage::Closed => false,
        }
    }

    /// Reports a failure for which the connection cannot be closed: it never opened, or has another
    /// reason to close. A failure that the close itself has caused is not reported.
    #[cold]
    fn report_late(&self, reason: CloseReason) {
        if let CloseReason::Failed(failure) = reason {
            let is_consequence = catch_or(false, || {
                sources(failure.as_error()).any(|error| error.is::<ConnectionClosed>())
            });
            if !is_consequence {
                self.context.report_failure(failure, Outcome::Aborted);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Direction of a poll of the application.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// Active catch of failures in the application's task, until dropped.
pub(crate) struct CatchGuard(Arc<Connection>);

impl CatchGuard {
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for CatchGuard {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.active_catches -= 1;
        if state.active_catches == 0 && !state.io_held {
            drop(state);
            self.0.close(CloseReason::of_drop(&self.0.watcher));
        }
    }
}

/// Error of a read or a write of the application after the connection was taken away from it.
#[derive(Debug)]
struct ConnectionClosed;

impl fmt::Display for ConnectionClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the WebSocket was closed by an exception")
    }
}

impl Error for ConnectionClosed {}
