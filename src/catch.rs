//! Running other people's code so that nothing gets past.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Context,
    thread,
};

use crate::{BoxError, Exception, HttpException, Panic, WebSocketException, scope};

/// What kept a piece of code from running to its end.
pub(crate) enum Interrupt {
    Exception(Exception),
    Panic(Panic),
}

impl Interrupt {
    #[cold]
    pub(crate) fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        let payload = match payload.downcast::<HttpException>() {
            Ok(exception) => return Self::Exception(Exception::Http(*exception)),
            Err(payload) => payload,
        };
        match payload.downcast::<WebSocketException>() {
            Ok(exception) => Self::Exception(Exception::WebSocket(*exception)),
            Err(payload) => Self::Panic(Panic::from_payload(payload)),
        }
    }
}

impl From<Interrupt> for BoxError {
    fn from(interrupt: Interrupt) -> Self {
        match interrupt {
            Interrupt::Exception(Exception::Http(exception)) => exception.into(),
            Interrupt::Exception(Exception::WebSocket(exception)) => exception.into(),
            Interrupt::Panic(panic) => panic.into(),
        }
    }
}

/// Runs `code`, and catches what it raises.
///
/// Whatever `code` was changing may be half changed then: it must not be used again.
#[inline]
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> thread::Result<T> {
    catch_unwind(AssertUnwindSafe(code))
}

/// Runs one poll as the innermost scope of this thread, and catches what it raises.
#[inline]
pub(crate) fn catch_poll<T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> T,
) -> thread::Result<T> {
    let outer = scope::enter(cx);
    let result = catch_unwind(AssertUnwindSafe(|| poll(cx)));
    scope::leave(outer);
    result
}

/// Runs `code`, which only drops what is no longer needed, and lets nothing out that it raises.
#[cold]
pub(crate) fn quietly(code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        // The payload's own `Drop` may panic, and so may the payload's of that panic, and so on: that
        // one is let go without dropping it.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::resume_unwind;

    #[test]
    fn a_payload_whose_drop_panics_with_another_such_payload() {
        struct Bomb(u8);
        impl Drop for Bomb {
            fn drop(&mut self) {
                resume_unwind(Box::new(Bomb(self.0 + 1)));
            }
        }
        let bomb = Bomb(0);
        quietly(move || drop(bomb));
    }
}
