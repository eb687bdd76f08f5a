//! Slot in which an exception waits between `raise_async` and the poll that takes it.
//!
//! A poll that catches (of a layer, a body or [`catch`](super::catch())) opens a [`Scope`]. It
//! closes the scope when the poll is over, also when the poll unwinds. `raise_async` fills the
//! innermost scope of its thread, but only if it is polled with the very `Context` for which the
//! scope was opened. Then, and only then, everything between the two is one stack of polls in one
//! task: what the scope drops afterwards is what the exception has left.
//!
//! The address of a `Context` identifies it. No other context can be mistaken for the scope's own:
//! that one is borrowed for as long as the scope is open, so no other context can have its address.
//! Code that polls with another context (a spawned task, `FuturesUnordered`, a nested `block_on`)
//! has created that context elsewhere. The identity of the waker would prove less: two tasks may
//! share one waker, and the waker of one task may be cloned into another allocation. The address is
//! compared and never becomes a pointer again.

use std::{
    cell::{Cell, RefCell},
    ptr,
    task::Context,
};

use super::raised::Raised;

thread_local! {
    /// The innermost open scope of this thread: the address of its `Context`, plus [`FLAGS`]; 0 if
    /// no scope is open. It has no destructor, so that access to it is one instruction.
    static INNERMOST: Cell<usize> = const { Cell::new(0) };

    /// The innermost scope, if neither it nor one around it is a layer's; otherwise the last one of
    /// which that was so.
    static OUTSIDE_OF_LAYERS: Cell<usize> = const { Cell::new(0) };

    /// The exceptions that the filled scopes of this thread hold, with the addresses of the scopes.
    static RAISED: RefCell<Vec<(usize, Raised)>> = const { RefCell::new(Vec::new()) };
}

/// Flag of a scope that is filled, or in which a panic has happened.
const FILLED: usize = 1;

/// Flag of a scope whose outer scope has closed before it.
const OUTER_CLOSED: usize = 2;

/// Flags in the lowest bits of an address. A `Context` holds references, so those bits are free.
const FLAGS: usize = FILLED | OUTER_CLOSED;
const _: () = assert!(align_of::<Context<'_>>() > FLAGS);

fn address(cx: &Context<'_>) -> usize {
    ptr::from_ref(cx).addr()
}

/// Poll that takes the exception that is raised without unwinding during it.
pub(crate) struct Scope {
    this: usize,
    outer: usize,
}

impl Scope {
    /// Opens a scope for a poll with `cx`. The caller must [close](Self::close) the scope before
    /// anything else happens on this thread.
    #[inline]
    pub(crate) fn open(cx: &Context<'_>) -> Self {
        let this = address(cx);
        let outer = INNERMOST.replace(this);
        Self { this, outer }
    }

    /// Closes the scope and returns what has changed, if anything has.
    #[inline]
    pub(crate) fn close(self) -> Option<ChangedScope> {
        let innermost = INNERMOST.replace(self.outer);
        let scope = self.this;
        (innermost != scope).then_some(ChangedScope { scope, innermost })
    }
}

/// Closed scope that was filled, or that does not nest with another one.
///
/// Polls nest on an ordinary stack, and so do scopes. A stackful coroutine may be suspended in the
/// middle of a poll, while another coroutine of the same thread opens a scope and is suspended too.
/// Then the outer scope closes first.
pub(crate) struct ChangedScope {
    scope: usize,
    /// The innermost scope before this one was closed.
    innermost: usize,
}

impl ChangedScope {
    /// Finishes the closing and takes what was raised in the scope, if it was filled.
    ///
    /// Nested polls may share a context; then the last one raised is the innermost poll's.
    #[cold]
    pub(crate) fn take(self) -> Option<Raised> {
        let Self { scope, innermost } = self;
        if innermost & !FLAGS == scope {
            if innermost & OUTER_CLOSED == OUTER_CLOSED {
                // The address of the outer scope may already be another context's.
                INNERMOST.set(0);
            }
            if innermost & FILLED == 0 {
                return None;
            }
        } else {
            // Another scope is still open. It stays the innermost one.
            INNERMOST.set(match innermost {
                0 => 0,
                other => other | OUTER_CLOSED,
            });
        }
        RAISED.with_borrow_mut(|raised| {
            let filled = raised.iter().rposition(|(of, _)| *of == scope)?;
            Some(raised.remove(filled).1)
        })
    }
}

/// Fills the innermost scope with `raised`, or returns `raised` as the error if `cx` is not the
/// context of that scope.
#[cold]
pub(super) fn fill(cx: &Context<'_>, raised: Raised) -> Result<(), Raised> {
    let innermost = INNERMOST.get();
    let scope = address(cx);
    if innermost & !FLAGS != scope {
        return Err(raised);
    }
    let is_filled =
        |all: &RefCell<Vec<(usize, Raised)>>| all.borrow().iter().any(|(of, _)| *of == scope);
    if innermost & FILLED == FILLED && RAISED.try_with(is_filled).unwrap_or(false) {
        // The scope already holds an exception. The code that raised the second one is dropped
        // together with the rest of the poll.
        return Ok(());
    }
    let mut raised = Some(raised);
    // Fails if the thread is ending and its destructors have run.
    let _ = RAISED.try_with(|all| {
        let raised = raised.take();
        all.borrow_mut()
            .extend(raised.map(|raised| (scope, raised)));
    });
    match raised {
        Some(raised) => Err(raised),
        None => {
            INNERMOST.set(innermost | FILLED);
            Ok(())
        }
    }
}

/// Marks the innermost scope, so that its closing is noticed.
#[cold]
pub(crate) fn mark() {
    match INNERMOST.get() {
        0 => {}
        innermost => INNERMOST.set(innermost | FILLED),
    }
}

/// Runs a poll with `cx`, which opens a scope that is not a layer's. It does not unwind.
pub(super) fn poll_outside_of_layers<T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> T,
) -> T {
    if is_inside_a_layer() {
        return poll(cx);
    }
    let outer = OUTSIDE_OF_LAYERS.replace(address(cx));
    let result = poll(cx);
    OUTSIDE_OF_LAYERS.set(outer);
    result
}

/// Returns whether a layer's poll is running on this thread.
///
/// If that poll and a [`catch`](super::catch()) around it have the same context, it is not seen.
pub(crate) fn is_inside_a_layer() -> bool {
    match INNERMOST.get() & !FLAGS {
        0 => false,
        innermost => innermost != OUTSIDE_OF_LAYERS.get(),
    }
}

/// Returns whether a poll that catches is running on this thread.
pub(crate) fn is_inside_a_scope() -> bool {
    INNERMOST.get() != 0
}
