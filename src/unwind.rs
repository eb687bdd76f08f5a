//! Functions that run user code and contain its panics.

use std::{
    cell::Cell,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use crate::panic_record::end_unwinding;

/// Fate of a panic of this thread, if it leaves the user code that is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PanicFate {
    /// The scopes that are open decide.
    Unknown,
    /// A layer reports it.
    Reported,
    /// It is ignored.
    Ignored,
}

thread_local! {
    static FATE: Cell<PanicFate> = const { Cell::new(PanicFate::Unknown) };
}

/// Returns the fate of a panic that happens now.
pub(crate) fn panic_fate() -> PanicFate {
    FATE.get()
}

/// Runs `code` and returns the payload of an unwinding as the error.
///
/// A panic may leave what `code` was changing half changed: the caller must not use it again.
#[inline]
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> thread::Result<T> {
    catch_unwind(AssertUnwindSafe(code))
}

/// Runs `code` as [`catch`] does. The caller reports the panic that it contains.
#[cold]
pub(crate) fn contain<T>(code: impl FnOnce() -> T) -> thread::Result<T> {
    let outer = FATE.replace(PanicFate::Reported);
    let result = catch(code);
    FATE.set(outer);
    if result.is_ok() {
        end_unwinding();
    }
    result
}

/// Runs `code` and returns `otherwise` if it panics.
#[inline]
pub(crate) fn catch_or<T>(otherwise: T, code: impl FnOnce() -> T) -> T {
    catch(code).unwrap_or_else(|payload| {
        ignore_panic(|| drop(payload));
        otherwise
    })
}

/// Runs `code` and ignores a panic in it.
#[cold]
pub(crate) fn ignore_panic(code: impl FnOnce()) {
    let outer = FATE.replace(PanicFate::Ignored);
    if let Err(payload) = catch(code) {
        // The payload's own `Drop` may panic, and so may the `Drop` of that panic's payload, and so
        // on. The second payload is forgotten, which runs no user code.
        if let Err(payload) = catch(|| drop(payload)) {
            mem::forget(payload);
        }
    }
    FATE.set(outer);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::resume_unwind;

    #[test]
    fn ignores_a_payload_whose_drop_panics_with_another_such_payload() {
        struct Bomb(u8);
        impl Drop for Bomb {
            fn drop(&mut self) {
                resume_unwind(Box::new(Bomb(self.0 + 1)));
            }
        }
        let bomb = Bomb(0);
        ignore_panic(move || drop(bomb));
    }
}
