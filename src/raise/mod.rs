#![doc = include_str!("../docs/raising.md")]

mod any;
mod catch;
mod catch_sync;
pub(crate) mod poll;
mod raise_async;
pub(crate) mod raised;
pub(crate) mod slot;
#[cfg(feature = "websocket")]
pub(crate) mod unwinding;

#[cfg(panic = "unwind")]
use std::panic::resume_unwind;

pub use self::{
    any::Raise,
    catch::{Catch, catch},
    catch_sync::catch_sync,
    raise_async::RaiseAsync,
};
#[cfg(panic = "unwind")]
use {
    self::raised::Raised,
    crate::exception::{Exception, HttpException, WebSocketException},
};

/// Raises by unwinding.
#[cfg(panic = "unwind")]
fn unwind(raised: Raised) -> ! {
    match raised {
        Raised::Exception(exception) => exception.raise(),
        #[cfg(feature = "websocket")]
        Raised::Error(error) => resume_unwind(unwinding::remember_error(error)),
        #[cfg(not(feature = "websocket"))]
        Raised::Error(error) => resume_unwind(Box::new(error)),
    }
}

#[cfg(panic = "unwind")]
impl HttpException {
    /// Raises the exception by unwinding, up to the [`ExceptionLayer`](crate::ExceptionLayer) or
    /// [`catch`](crate::catch()).
    ///
    /// Any code can call it, sync or async, at any depth of the stack. Destructors run, as in a
    /// panic. No panic hook runs, and nothing is printed. If nothing catches the exception, it ends
    /// the thread or the tokio task, as a panic does.
    ///
    /// Code that can return a `Result` should return the exception instead: unwinding costs
    /// microseconds, and more with a deeper stack. The [guide](crate::raise) compares the ways to
    /// raise.
    ///
    /// Under `panic = "abort"` nothing can unwind, and this function does not exist: a call does
    /// not compile, rather than end the process.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_exception::HttpException;
    ///
    /// fn positive(number: i64) -> u64 {
    ///     number
    ///         .try_into()
    ///         .unwrap_or_else(|_| HttpException::bad_request("must not be negative").raise())
    /// }
    ///
    /// assert_eq!(positive(7), 7);
    /// assert!(std::panic::catch_unwind(|| positive(-7)).is_err());
    /// ```
    pub fn raise(self) -> ! {
        let exception = self;
        #[cfg(feature = "websocket")]
        let exception = unwinding::remember_http(exception);
        resume_unwind(Box::new(exception))
    }
}

#[cfg(panic = "unwind")]
impl WebSocketException {
    /// Raises the exception by unwinding: see [`HttpException::raise`].
    pub fn raise(self) -> ! {
        let exception = self;
        #[cfg(feature = "websocket")]
        let exception = unwinding::remember_websocket(exception);
        resume_unwind(Box::new(exception))
    }
}

#[cfg(panic = "unwind")]
impl Exception {
    /// Raises the [`HttpException`] or [`WebSocketException`] by unwinding: see
    /// [`HttpException::raise`].
    pub fn raise(self) -> ! {
        match self {
            Self::Http(exception) => exception.raise(),
            Self::WebSocket(exception) => exception.raise(),
        }
    }
}
