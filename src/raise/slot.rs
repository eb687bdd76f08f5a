//! Where an exception waits between `raise_async` and the poll that takes it.
//!
//! A poll that catches (a layer's, a body's, [`catch`](super::catch()'s) opens a [`Scope`] and closes it when
//! the poll is over, also when it unwinds. `raise_async` fills the innermost scope of its thread, but only
//! if it is polled with the very `Context` that the scope was opened for. Then, and only then, everything
//! between the two is one stack of polls in one task: what the scope drops afterwards is what was left.
//!
//! A `Context` is known by its address. That cannot be mistaken: the scope's own is borrowed for as
//! long as the scope is open, so no other context can be where it is. Whoever polls with another one
//! (a spawned task, `FuturesUnordered`, a nested `block_on`) has made it elsewhere. The identity of the
//! waker would prove less: two tasks may share one, and one task may see its waker cloned into another
//! allocation. The address is compared and never becomes a pointer again.

use std::{
    cell::{Cell, RefCell},
    ptr,
    task::Context,
};

use crate::Exception;

thread_local! {
    /// The innermost open scope of this thread: the address of its `Context`, plus [`FILLED`] once it is
    /// filled. 0 where none is open. It has no destructor, so that reaching it is one instruction.
    static INNERMOST: Cell<usize> = const { Cell::new(0) };

    /// What the filled scopes of this thread hold, the innermost last.
    static RAISED: RefCell<Vec<Exception>> = const { RefCell::new(Vec::new()) };
}

/// A `Context` holds references, so the lowest bit of its address is free.
const FILLED: usize = 1;
const _: () = assert!(align_of::<Context<'_>>() > FILLED);

fn address(cx: &Context<'_>) -> usize {
    ptr::from_ref(cx).addr()
}

/// A poll that takes what is raised without unwinding during it.
pub(crate) struct Scope {
    this: usize,
    outer: usize,
}

impl Scope {
    /// Opens a scope for a poll with `cx`. It is to be [closed](Self::close) before anything else happens on
    /// this thread.
    #[inline]
    pub(crate) fn open(cx: &Context<'_>) -> Self {
        let this = address(cx);
        let outer = INNERMOST.replace(this);
        Self { this, outer }
    }

    /// Closes the scope, and tells whether it was filled: if so, [`take`] is to be called.
    #[inline]
    pub(crate) fn close(self) -> bool {
        INNERMOST.replace(self.outer) != self.this
    }
}

/// Takes what the scope that was just closed was filled with.
#[cold]
pub(crate) fn take() -> Option<Exception> {
    RAISED.with_borrow_mut(Vec::pop)
}

/// Fills the innermost scope with `exception`, or gives it back where `cx` is not that scope's.
#[cold]
pub(super) fn fill(cx: &Context<'_>, exception: Exception) -> Result<(), Exception> {
    let innermost = INNERMOST.get();
    if innermost & !FILLED != address(cx) {
        return Err(exception);
    }
    if innermost & FILLED == FILLED {
        // The first one is on its way out, and takes with it whoever raised this one.
        return Ok(());
    }
    let mut exception = Some(exception);
    // Fails where the thread is ending and its destructors have run.
    let _ = RAISED.try_with(|raised| raised.borrow_mut().extend(exception.take()));
    match exception {
        Some(exception) => Err(exception),
        None => {
            INNERMOST.set(innermost | FILLED);
            Ok(())
        }
    }
}

/// Whether the code that asks is polled by something that catches.
pub(crate) fn is_inside_a_scope() -> bool {
    INNERMOST.get() != 0
}
