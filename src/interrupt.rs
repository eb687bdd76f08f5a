//! Running other people's code so that nothing gets past.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Context,
    thread,
};

use crate::{
    Exception, How, HttpException, WebSocketException,
    raise::slot::{self, Scope},
};

/// The exception that a payload is, and how it was raised; or the payload.
#[cold]
pub(crate) fn exception_in(payload: Box<dyn Any + Send>) -> thread::Result<(Exception, How)> {
    let payload = match payload.downcast::<HttpException>() {
        Ok(exception) => return Ok((caught(Exception::Http(*exception)), How::Raised)),
        Err(payload) => payload,
    };
    let payload = match payload.downcast::<WebSocketException>() {
        Ok(exception) => return Ok((caught(Exception::WebSocket(*exception)), How::Raised)),
        Err(payload) => payload,
    };
    let payload = match payload.downcast::<Exception>() {
        Ok(exception) => return Ok((*exception, How::Raised)),
        Err(payload) => payload,
    };
    let raised = payload.downcast::<Raised>()?;
    Ok((raised.exception, How::RaisedAsync))
}

/// It unwinds no longer.
#[cfg(feature = "websocket")]
fn caught(exception: Exception) -> Exception {
    match exception {
        Exception::Http(exception) => Exception::Http(exception.unmarked()),
        Exception::WebSocket(exception) => Exception::WebSocket(exception.unmarked()),
    }
}

#[cfg(not(feature = "websocket"))]
fn caught(exception: Exception) -> Exception {
    exception
}

/// The payload that stands for what was raised without unwinding.
struct Raised {
    exception: Exception,
    beside: Option<Box<dyn Any + Send>>,
}

/// Takes what a poll gave [beside](catch_poll_keeping) raising `payload`.
pub(crate) fn take_beside<T: 'static>(payload: &mut (dyn Any + Send)) -> Option<T> {
    let raised = payload.downcast_mut::<Raised>()?;
    let beside = raised.beside.take()?.downcast().ok()?;
    Some(*beside)
}

/// Runs `code`, and catches what it raises.
///
/// Whatever `code` was changing may be half changed then: it must not be used again.
#[inline]
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> thread::Result<T> {
    catch_unwind(AssertUnwindSafe(code))
}

/// Runs one poll, and catches what it raises, with and without unwinding.
#[inline]
pub(crate) fn catch_poll<T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> T,
) -> thread::Result<T> {
    catch_poll_keeping(cx, poll, |_| None)
}

/// The same, and keeps something of what a poll came to that raised without unwinding.
#[inline]
pub(crate) fn catch_poll_keeping<T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> T,
    keep: impl FnOnce(T) -> Option<Box<dyn Any + Send>>,
) -> thread::Result<T> {
    let scope = Scope::open(cx);
    let result = catch_unwind(AssertUnwindSafe(|| poll(cx)));
    if scope.close() {
        return Err(raised(result, keep));
    }
    result
}

/// What was raised without unwinding, as a payload. It wins over whatever else the poll came to.
#[cold]
fn raised<T>(
    result: thread::Result<T>,
    keep: impl FnOnce(T) -> Option<Box<dyn Any + Send>>,
) -> Box<dyn Any + Send> {
    let exception = slot::take();
    let mut beside = None;
    quietly(|| match result {
        Ok(value) => beside = keep(value),
        Err(payload) => drop(payload),
    });
    match exception {
        Some(exception) => Box::new(Raised { exception, beside }),
        None => Box::new("a scope was filled with nothing"),
    }
}

/// Runs `code`, and gives `otherwise` where it raises.
#[inline]
pub(crate) fn catch_or<T>(otherwise: T, code: impl FnOnce() -> T) -> T {
    catch(code).unwrap_or_else(|payload| {
        quietly(|| drop(payload));
        otherwise
    })
}

/// Runs `code`, and lets nothing out that it raises.
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
