//! Raising any error.

use super::{raise_async::RaiseAsync, raised::Raised};
use crate::error::Error;

/// Raises any error, as [`HttpException`](crate::HttpException) and
/// [`WebSocketException`](crate::WebSocketException) raise themselves.
///
/// Every `std::error::Error` implements it, and every other type that converts into an [`Error`].
/// Import it, alone or with the rest of the [`prelude`](crate::prelude).
///
/// The layer handles a raised error as it handles a returned one: by the handler for its type,
/// otherwise as an unknown error. [`catch`](crate::catch()) and [`catch_sync`](crate::catch_sync)
/// return it as an [`Error`], which downcasts to its type.
///
/// # Examples
///
/// ```
/// use tower_exception::{Caught, ExceptionLayer, HttpException, Raise};
///
/// #[derive(Debug)]
/// struct UnicornError {
///     name: String,
/// }
/// # impl std::fmt::Display for UnicornError {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
/// #         f.write_str(&self.name)
/// #     }
/// # }
/// # impl std::error::Error for UnicornError {}
///
/// /// Called from anywhere: no `Result` leads out.
/// fn stroke(name: &str) -> u32 {
///     match name {
///         "yolo" => UnicornError { name: name.to_owned() }.raise(),
///         _ => 1,
///     }
/// }
///
/// let layer = ExceptionLayer::new().on(|error: Caught<UnicornError>| {
///     HttpException::conflict(format!("Oops! {} did something.", error.name))
/// });
///
/// let error = tower_exception::catch_sync(|| stroke("yolo")).unwrap_err();
/// assert!(error.is::<UnicornError>());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be raised",
    label = "not an error",
    note = "a type can be raised if it implements `std::error::Error + Send + Sync + 'static`",
    note = "derive it by `thiserror`, or raise an exception: `HttpException::new(status).raise()`"
)]
pub trait Raise: Into<Error> + Sized {
    /// Raises the error by unwinding, up to the [`ExceptionLayer`](crate::ExceptionLayer) or
    /// [`catch`](crate::catch()): see
    /// [`HttpException::raise`](crate::HttpException::raise).
    ///
    /// Under `panic = "abort"` this function does not exist.
    #[cfg(panic = "unwind")]
    #[track_caller]
    fn raise(self) -> ! {
        super::unwind(Raised::from(self.into()))
    }

    /// Raises the error without unwinding: see
    /// [`HttpException::raise_async`](crate::HttpException::raise_async).
    #[track_caller]
    fn raise_async<T>(self) -> RaiseAsync<T> {
        RaiseAsync::new(Raised::from(self.into()))
    }
}

/// For everything that converts into an [`Error`].
#[diagnostic::do_not_recommend]
impl<E: sealed::Raisable> Raise for E {}

mod sealed {
    use super::Error;

    /// Bound of [`Raise`](super::Raise). For a call of a method the compiler shows the message of
    /// the bound, and for an argument that of the trait.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be raised",
        label = "not an error",
        note = "a type can be raised if it implements `std::error::Error + Send + Sync + 'static`",
        note = "derive it by `thiserror`, or raise an exception: `HttpException::new(status).raise()`"
    )]
    pub trait Raisable: Into<Error> {}

    #[diagnostic::do_not_recommend]
    impl<E: Into<Error>> Raisable for E {}
}
