use std::{
    error::Error,
    fmt, io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use hyper::upgrade::Upgraded;
use tokio::{runtime::Handle, task::JoinHandle, time::Instant};

use super::{UpgradeSettings, cause::Cause, close::close, registry::Registration, wire::Wire};
use crate::{Answer, chain::chain, interrupt::catch_or, raise::Asking, settings::Kept};

/// One connection that becomes a WebSocket, or is one. The application has it through a
/// [`Guard`](super::guard::Guard); whoever is to close it from elsewhere has it too.
pub struct Connection {
    kept: Kept,
    settings: UpgradeSettings,
    runtime: Handle,
    asking: Asking,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    /// Whether the application still has the guard.
    guarded: bool,
    /// How many calls of `UpgradeHandle::catch` are at work. As long as there is one, it says nothing that the
    /// application lets go of the guard: why it does is yet to be heard.
    catching: usize,
    /// Who waits for the connection, to be woken when it is taken away.
    reader: Option<Waker>,
    writer: Option<Waker>,
    registration: Option<Registration>,
}

enum Stage {
    /// The handshake is not over. With a cause, the connection is closed as soon as it is.
    Opening(Option<Cause>),
    Open(Box<Wire>),
    /// It is being closed, or is closed.
    Over,
}

impl Connection {
    pub fn new(kept: Kept, settings: UpgradeSettings, runtime: Handle) -> Arc<Self> {
        let state = State {
            stage: Stage::Opening(None),
            guarded: true,
            catching: 0,
            reader: None,
            writer: None,
            registration: None,
        };
        Arc::new(Self {
            kept,
            settings,
            runtime,
            asking: Asking::begin(),
            state: Mutex::new(state),
        })
    }

    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// The handshake is answered, and has opened a WebSocket: from now on the connection counts as a live one.
    pub fn register(self: &Arc<Self>) {
        let (registration, ordered) = self.settings.registry.register(self);
        self.state().registration = Some(registration);
        if let Some(exception) = ordered {
            self.close(Cause::Ordered(exception));
        }
    }

    /// The handshake is over.
    pub fn open(self: &Arc<Self>, io: Upgraded) {
        let mut state = self.state();
        if let Stage::Opening(cause) = &mut state.stage {
            let cause = cause.take();
            let is_websocket = state.registration.is_some();
            state.stage = Stage::Open(Box::new(Wire::new(io, is_websocket)));
            drop(state);
            if let Some(cause) = cause {
                self.close(cause);
            }
        }
    }

    /// Closes the connection, for the first cause that comes, and takes it away from the application. Gives the
    /// task that does so, where it begins at once.
    pub fn close(self: &Arc<Self>, cause: Cause) -> Option<JoinHandle<()>> {
        let mut state = self.state();
        let wire = match mem::replace(&mut state.stage, Stage::Over) {
            Stage::Open(wire) => wire,
            Stage::Opening(None) => {
                state.stage = Stage::Opening(Some(cause));
                return None;
            }
            stage @ (Stage::Opening(Some(_)) | Stage::Over) => {
                state.stage = stage;
                drop(state);
                self.too_late(cause);
                return None;
            }
        };
        let waiting = [state.reader.take(), state.writer.take()];
        let registration = state.registration.take();
        drop(state);
        waiting.into_iter().flatten().for_each(Waker::wake);
        let this = Arc::clone(self);
        let deadline = Instant::now() + self.settings.close_timeout;
        Some(self.runtime.spawn(async move {
            close(
                &this.kept,
                this.settings.close_on_drop,
                wire,
                cause,
                deadline,
            )
            .await;
            drop(registration);
        }))
    }

    /// The application has let go of the guard.
    pub fn unguarded(self: &Arc<Self>) {
        let mut state = self.state();
        state.guarded = false;
        let is_caught = state.catching > 0;
        match &mut state.stage {
            Stage::Opening(cause) => {
                // The handshake failed, or was refused.
                let cause = cause.take();
                state.stage = Stage::Over;
                let registration = state.registration.take();
                drop(state);
                drop(registration);
                cause.into_iter().for_each(|cause| self.too_late(cause));
            }
            _ if !is_caught => {
                drop(state);
                self.close(Cause::of_drop(&self.asking));
            }
            // Whatever is yet to be heard, the peer cannot be told of it.
            Stage::Open(wire) if !wire.takes_close() => {
                drop(state);
                self.close(Cause::Dropped);
            }
            Stage::Open(_) | Stage::Over => {}
        }
    }

    /// A `catch` begins.
    pub fn catching(self: &Arc<Self>) -> Catching {
        self.state().catching += 1;
        Catching(Arc::clone(self))
    }

    /// One poll of the connection by the application. Its waker is kept, one for each direction.
    pub fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        poll: impl FnOnce(&mut Wire, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.state();
        let Stage::Open(wire) = &mut state.stage else {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                Closed,
            )));
        };
        let poll = poll(wire, cx);
        if poll.is_pending() {
            let waiting = match direction {
                Direction::Read => &mut state.reader,
                Direction::Write => &mut state.writer,
            };
            match waiting {
                Some(waker) => waker.clone_from(cx.waker()),
                None => *waiting = Some(cx.waker().clone()),
            }
        }
        poll
    }

    pub fn is_write_vectored(&self) -> bool {
        match &self.state().stage {
            Stage::Open(wire) => wire.is_write_vectored(),
            Stage::Opening(_) | Stage::Over => false,
        }
    }

    /// There was another cause before, or there never was a connection. Observers are told, unless this is a
    /// consequence of the close.
    #[cold]
    fn too_late(&self, cause: Cause) {
        if let Cause::Thrown(thrown) = cause {
            let is_consequence = catch_or(false, || {
                chain(thrown.as_error()).any(|error| error.is::<Closed>())
            });
            if !is_consequence {
                self.kept.tell_of(thrown, Answer::CutShort);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy)]
pub enum Direction {
    Read,
    Write,
}

/// A `catch` that is at work.
pub struct Catching(Arc<Connection>);

impl Catching {
    pub fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for Catching {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.catching -= 1;
        if state.catching == 0 && !state.guarded {
            drop(state);
            self.0.close(Cause::of_drop(&self.0.asking));
        }
    }
}

/// The error of an application that still reads or writes when the connection was taken away.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the WebSocket was closed by an exception")
    }
}

impl Error for Closed {}
