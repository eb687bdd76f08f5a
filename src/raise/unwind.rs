use std::panic::resume_unwind;

use crate::{Exception, HttpException, WebSocketException};

impl HttpException {
    /// Raises the exception by unwinding, from any code, however deep, sync or async, up to the
    /// [`ExceptionLayer`](crate::ExceptionLayer).
    ///
    /// Destructors run, as in a panic. No panic hook does, and nothing is printed. Where nothing
    /// catches it, it ends the thread (or the tokio task) as a panic does.
    ///
    /// Where a `Result` leads out, return the exception instead: unwinding costs microseconds, and
    /// more with a deeper stack.
    ///
    /// Under `panic = "abort"` there is no unwinding, and this function does not exist: a call does
    /// not compile, rather than end the process.
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
        let exception = exception.marked();
        resume_unwind(Box::new(exception))
    }
}

impl WebSocketException {
    /// Raises the exception by unwinding: see [`HttpException::raise`].
    pub fn raise(self) -> ! {
        let exception = self;
        #[cfg(feature = "websocket")]
        let exception = exception.marked();
        resume_unwind(Box::new(exception))
    }
}

impl Exception {
    /// Raises the exception that this is by unwinding: see [`HttpException::raise`].
    pub fn raise(self) -> ! {
        match self {
            Self::Http(exception) => exception.raise(),
            Self::WebSocket(exception) => exception.raise(),
        }
    }
}
