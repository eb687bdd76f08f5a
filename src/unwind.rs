//! Functions that run user code and contain its panics.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

/// Runs `code` and returns the payload of an unwinding as the error.
///
/// A panic may leave what `code` was changing half changed: the caller must not use it again.
#[inline]
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> thread::Result<T> {
    catch_unwind(AssertUnwindSafe(code))
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
    if let Err(payload) = catch(code) {
        // The payload's own `Drop` may panic, and so may the `Drop` of that panic's payload, and so
        // on. The second payload is forgotten, which runs no user code.
        if let Err(payload) = catch(|| drop(payload)) {
            mem::forget(payload);
        }
    }
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
