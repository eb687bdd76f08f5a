//! Polls that catch what was raised, with and without unwinding, and the payloads of both.
//!
//! An exception or error that was raised without unwinding is turned into a payload as well. So
//! callers have one failure path for both ways of raising and for panics.

use std::{any::Any, task::Context, thread};

#[cfg(feature = "websocket")]
use super::unwinding::ErrorPayload;
use super::{
    raised::Raised,
    slot::{ChangedScope, Scope},
};
#[cfg(feature = "websocket")]
use crate::exception::UnwindToken;
use crate::{
    error::Error,
    exception::{Exception, HttpException, WebSocketException},
    panic_record::end_unwinding,
    unwind::{catch, ignore_panic},
};

/// Way in which an exception or error was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RaisedBy {
    /// By unwinding: `raise`, or `panic_any` of an exception or an [`Error`].
    Unwinding,
    /// By `raise_async`, without unwinding.
    Async,
}

/// Payload that stands for what was raised without unwinding.
struct AsyncPayload {
    raised: Raised,
    salvaged: Option<Box<dyn Any + Send>>,
}

/// Runs one poll and catches exceptions and panics in it, raised with and without unwinding.
#[inline]
pub(crate) fn catch_poll<T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> T,
) -> thread::Result<T> {
    catch_poll_salvaging(cx, poll, |_| None)
}

/// Runs one poll as [`catch_poll`] does.
///
/// If the poll returned although an exception was raised without unwinding, `salvage` may save a
/// part of the result in the payload: see [`take_salvaged`].
#[inline]
pub(crate) fn catch_poll_salvaging<T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> T,
    salvage: impl FnOnce(T) -> Option<Box<dyn Any + Send>>,
) -> thread::Result<T> {
    let scope = Scope::open(cx);
    let result = catch(|| poll(cx));
    match scope.close() {
        None => result,
        // A call of its own, also for a scope that turns out not to be filled: the path on which
        // nothing is raised takes fewer instructions.
        Some(changed) => take_raised(changed, result, salvage),
    }
}

/// Takes what was raised without unwinding, if anything was, as a payload.
///
/// It takes precedence over the result of the poll, also over a panic.
#[cold]
fn take_raised<T>(
    changed: ChangedScope,
    result: thread::Result<T>,
    salvage: impl FnOnce(T) -> Option<Box<dyn Any + Send>>,
) -> thread::Result<T> {
    let Some(raised) = changed.take() else {
        if result.is_ok() {
            end_unwinding();
        }
        return result;
    };
    let mut salvaged = None;
    ignore_panic(|| match result {
        Ok(value) => salvaged = salvage(value),
        Err(payload) => drop(payload),
    });
    Err(Box::new(AsyncPayload { raised, salvaged }))
}

/// Takes what [`catch_poll_salvaging`] saved in `payload`.
pub(crate) fn take_salvaged<T: 'static>(payload: &mut (dyn Any + Send)) -> Option<T> {
    let payload = payload.downcast_mut::<AsyncPayload>()?;
    let salvaged = payload.salvaged.take()?.downcast().ok()?;
    Some(*salvaged)
}

/// Returns what was raised, and how, or the payload as the error if it is that of a panic.
#[cold]
pub(crate) fn downcast_payload(
    payload: Box<dyn Any + Send>,
) -> Result<(Raised, RaisedBy), Box<dyn Any + Send>> {
    let payload = match payload.downcast::<HttpException>() {
        Ok(exception) => {
            let exception = clear_unwind_token(Exception::Http(*exception));
            return Ok((exception.into(), RaisedBy::Unwinding));
        }
        Err(payload) => payload,
    };
    let payload = match payload.downcast::<WebSocketException>() {
        Ok(exception) => {
            let exception = clear_unwind_token(Exception::WebSocket(*exception));
            return Ok((exception.into(), RaisedBy::Unwinding));
        }
        Err(payload) => payload,
    };
    let payload = match payload.downcast::<Exception>() {
        Ok(exception) => return Ok(((*exception).into(), RaisedBy::Unwinding)),
        Err(payload) => payload,
    };
    let payload = match payload.downcast::<Error>() {
        Ok(error) => return Ok(((*error).into(), RaisedBy::Unwinding)),
        Err(payload) => payload,
    };
    #[cfg(feature = "websocket")]
    let payload = match payload.downcast::<ErrorPayload>() {
        Ok(mut payload) => match payload.take() {
            Some(error) => return Ok((error.into(), RaisedBy::Unwinding)),
            None => return Err(payload),
        },
        Err(payload) => payload,
    };
    let payload = payload.downcast::<AsyncPayload>()?;
    Ok((payload.raised, RaisedBy::Async))
}

/// Records that `exception` has been caught and unwinds no longer.
#[cfg(feature = "websocket")]
fn clear_unwind_token(mut exception: Exception) -> Exception {
    match &mut exception {
        Exception::Http(exception) => exception.set_unwind_token(UnwindToken::default()),
        Exception::WebSocket(exception) => exception.set_unwind_token(UnwindToken::default()),
    }
    exception
}

/// Without the feature `websocket` an exception has no unwind token.
#[cfg(not(feature = "websocket"))]
fn clear_unwind_token(exception: Exception) -> Exception {
    exception
}
