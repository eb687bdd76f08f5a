//! The `try` block for what sync code raises.

use std::panic::resume_unwind;

use super::poll::downcast_payload;
use crate::{error::Error, unwind::catch};

/// Runs `code` and returns an exception or error that it raises: a `try` block.
///
/// A panic is not caught: it continues to unwind. An error that the closure returns is part of its
/// output. [`catch`](crate::catch()) does the same for a future.
///
/// Values that the closure has changed before it raised stay as it left them, as after a `?` in the
/// middle of a function. The [guide](crate::raise#effects-of-unwinding-on-locks-pools-and-workers) says more.
///
/// Under `panic = "abort"` nothing can be raised in sync code, so that `code` always returns.
///
/// # Errors
///
/// The exception or error that was raised. It downcasts to its type.
///
/// # Examples
///
/// ```
/// use tower_exception::{HttpException, catch_sync};
///
/// fn positive(number: i64) -> u64 {
///     number
///         .try_into()
///         .unwrap_or_else(|_| HttpException::bad_request("must not be negative").raise())
/// }
///
/// assert_eq!(catch_sync(|| positive(7)).unwrap(), 7);
/// let error = catch_sync(|| positive(-7)).unwrap_err();
/// assert_eq!(error.downcast::<HttpException>().unwrap().status(), 400);
/// ```
pub fn catch_sync<T>(code: impl FnOnce() -> T) -> Result<T, Error> {
    catch(code).or_else(|payload| match downcast_payload(payload) {
        Ok((raised, _)) => Err(raised.into_error()),
        Err(payload) => resume_unwind(payload),
    })
}
