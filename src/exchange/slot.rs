//! The state of a request under a configured layer, in memory that the thread's next request uses
//! again.

use std::{
    cell::RefCell,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::pending_handler::PendingHandler;
use crate::{
    handling::{POLLED_AFTER_READY, RequestContext},
    websocket::Upgrade,
};

/// Number of slots that a thread has for its next requests. A request beyond them allocates.
const MAX_FREE: usize = 128;

thread_local! {
    static POOL: RefCell<Pool> = RefCell::new(Pool {
        free: Vec::new(),
        thread: THREADS.fetch_add(1, Ordering::Relaxed),
    });
}

/// Number of threads that have had a pool.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// The slots of a thread.
struct Pool {
    /// Empty slots.
    #[expect(clippy::vec_box, reason = "a request takes the box itself")]
    free: Vec<Box<Slot>>,
    thread: usize,
}

/// A request under a configured layer, before and after the head of its response is sent.
///
/// It is moved as one pointer through the future into the body.
pub struct ConfiguredExchange {
    /// `None` after it was passed on to the body.
    slot: Option<Box<Slot>>,
}

/// State of a request.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) context: RequestContext,
    pub(super) inspected: Inspected,
    /// Never locked: it makes the slot `Sync`, as a body has to be.
    rare: Mutex<Rare>,
}

/// The responses of the service that are inspected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Inspected {
    /// Those that carry a failure.
    #[default]
    Carriers,
    /// Those, and every error response.
    Errors,
    All,
}

/// State that few requests have.
#[derive(Default)]
pub(super) struct Rare {
    pub(super) pending: Option<Box<PendingHandler>>,
    /// The request's way to a WebSocket, if it asks for one.
    pub(super) upgrade: Option<Box<Upgrade>>,
}

impl Rare {
    #[cold]
    fn end(&mut self, context: &RequestContext) {
        self.upgrade = None;
        if let Some(pending) = self.pending.take() {
            pending.abandon(context);
        }
    }
}

impl Slot {
    /// Returns an empty slot, and the number of this thread.
    #[inline]
    pub(super) fn take() -> (Box<Self>, usize) {
        let taken = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            (pool.free.pop(), pool.thread)
        });
        // The thread may be ending.
        let (free, thread) = taken.unwrap_or_default();
        (free.unwrap_or_else(Self::allocate), thread)
    }

    #[cold]
    fn allocate() -> Box<Self> {
        Box::default()
    }

    /// Empties the slot, for the next request.
    #[inline(never)]
    pub(super) fn put_back(mut self: Box<Self>) {
        let (context, rare) = self.split();
        if rare.pending.is_some() || rare.upgrade.is_some() {
            rare.end(context);
        }
        context.clear();
        // The thread may be ending.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.free.len() < MAX_FREE {
                pool.free.push(self);
            }
        });
    }

    #[inline]
    pub(super) fn rare(&mut self) -> &mut Rare {
        self.split().1
    }

    #[inline]
    pub(super) fn split(&mut self) -> (&mut RequestContext, &mut Rare) {
        let rare = self.rare.get_mut().unwrap_or_else(PoisonError::into_inner);
        (&mut self.context, rare)
    }
}

impl ConfiguredExchange {
    #[inline]
    pub(super) fn new(slot: Box<Slot>) -> Self {
        Self { slot: Some(slot) }
    }

    /// Opens the exchange of `context` again, after the head of the response was sent.
    pub(super) fn reopen(context: RequestContext) -> Self {
        let (mut slot, _) = Slot::take();
        slot.context = context;
        Self::new(slot)
    }

    /// Passes the state on to the body.
    #[inline]
    pub(super) fn take(&mut self) -> Self {
        let slot = self.slot.take();
        Self { slot }
    }

    /// Returns the responses that are inspected, or `None` if the state was passed on.
    #[inline]
    pub(super) fn inspected(&self) -> Option<Inspected> {
        Some(self.slot.as_ref()?.inspected)
    }

    #[inline]
    pub(super) fn context(&self) -> &RequestContext {
        match &self.slot {
            Some(slot) => &slot.context,
            None => panic!("{POLLED_AFTER_READY}"),
        }
    }

    #[inline]
    pub(super) fn slot_mut(&mut self) -> &mut Slot {
        match &mut self.slot {
            Some(slot) => slot,
            None => panic!("{POLLED_AFTER_READY}"),
        }
    }

    pub(super) fn split(&mut self) -> (&RequestContext, &mut Option<Box<Upgrade>>) {
        let (context, rare) = self.slot_mut().split();
        (context, &mut rare.upgrade)
    }
}

impl Drop for ConfiguredExchange {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.put_back();
        }
    }
}
