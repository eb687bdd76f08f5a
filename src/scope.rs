//! Which layer polls on this thread right now.

use std::{cell::Cell, ptr, task::Context};

/// The innermost scope: the address of the [`Context`] that a layer polls with, 0 where none does.
///
/// A plain number: it is compared, and never becomes a pointer again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope(usize);

thread_local! {
    static INNERMOST: Cell<Scope> = const { Cell::new(Scope(0)) };
}

/// Makes a poll with `cx` the innermost scope, and gives the one around it, to [`leave`] with.
#[inline]
pub(crate) fn enter(cx: &Context<'_>) -> Scope {
    INNERMOST.replace(Scope(ptr::from_ref(cx).addr()))
}

/// Makes `outer` the innermost scope again.
#[inline]
pub(crate) fn leave(outer: Scope) {
    INNERMOST.set(outer);
}

/// Whether a layer polls the code that asks.
pub(crate) fn is_inside_a_layer() -> bool {
    INNERMOST.get() != Scope(0)
}
