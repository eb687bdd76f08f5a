//! The keys of a record: the payload of its panic, and what has panicked.

use std::{
    any::{Any, TypeId},
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

#[cfg(feature = "tokio")]
use tokio::task;

use super::Text;

#[cfg(feature = "tokio")]
pub(super) type TaskId = task::Id;
#[cfg(not(feature = "tokio"))]
pub(super) type TaskId = std::convert::Infallible;

/// Thread and tokio task that have panicked. A thread has a number, because its `ThreadId` may not
/// be had while it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Panicker {
    pub(super) thread: u64,
    pub(super) task: Option<TaskId>,
}

impl Panicker {
    pub(super) fn current() -> Self {
        static THREADS: AtomicU64 = AtomicU64::new(1);
        thread_local! {
            static NUMBER: Cell<u64> = const { Cell::new(0) };
        }
        if NUMBER.get() == 0 {
            NUMBER.set(THREADS.fetch_add(1, Relaxed));
        }
        Self {
            thread: NUMBER.get(),
            #[cfg(feature = "tokio")]
            task: task::try_id(),
            #[cfg(not(feature = "tokio"))]
            task: None,
        }
    }
}

/// All that can be said of a payload without moving it.
#[derive(PartialEq, Eq)]
pub(super) struct PayloadKey {
    type_id: TypeId,
    /// The text, and the address at which it is.
    pub(super) text: Option<(usize, Text)>,
}

impl PayloadKey {
    pub(super) fn of(payload: &(dyn Any + Send)) -> Self {
        let text = match payload.downcast_ref::<&'static str>() {
            Some(text) => Some((text.as_ptr().addr(), Text::Literal(text))),
            None => payload.downcast_ref::<String>().map(|text| {
                let copy = Text::Formatted(text.as_str().into());
                (text.as_ptr().addr(), copy)
            }),
        };
        Self {
            type_id: payload.type_id(),
            text,
        }
    }

    pub(super) fn is_formatted(&self) -> bool {
        matches!(&self.text, Some((_, Text::Formatted(_))))
    }
}
