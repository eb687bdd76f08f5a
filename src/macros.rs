//! Macros that return an exception.

/// Returns an exception, or any other error, from the function.
///
/// `bail!(not_found, "no item {id}")` returns the [`HttpException`](crate::HttpException) that the
/// constructor of that name creates, with the text as its detail. `bail!(error)` returns `error`.
/// Both convert it as `?` does, so that the function's error may be an `HttpException`, an
/// [`Error`](crate::Error), or any type that converts from what is returned.
///
/// # Examples
///
/// ```
/// use tower_exception::{Result, bail};
///
/// fn price(id: u32) -> Result<u32> {
///     match id {
///         1 => Ok(42),
///         2 => bail!(std::io::Error::other("disk gone")),
///         _ => bail!(not_found, "no item {id}"),
///     }
/// }
///
/// assert_eq!(price(3).unwrap_err().to_string(), "404: no item 3");
/// assert!(price(2).unwrap_err().is::<std::io::Error>());
/// ```
#[macro_export]
macro_rules! bail {
    ($status:ident, $($detail:tt)+) => {
        return ::core::result::Result::Err(::core::convert::From::from(
            $crate::HttpException::$status($crate::__private::format!($($detail)+)),
        ))
    };
    ($error:expr $(,)?) => {
        return ::core::result::Result::Err(::core::convert::From::from($error))
    };
}

/// Returns an exception from the function unless a condition holds: see [`bail!`](crate::bail).
///
/// # Examples
///
/// ```
/// use tower_exception::{HttpException, ensure};
///
/// fn page(page: u32) -> Result<u32, HttpException> {
///     ensure!(page < 100, unprocessable_entity, "there is no page {page}");
///     Ok(page)
/// }
///
/// assert_eq!(page(1).unwrap(), 1);
/// assert_eq!(page(100).unwrap_err().to_string(), "422: there is no page 100");
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($error:tt)+) => {
        if !$condition {
            $crate::bail!($($error)+);
        }
    };
}

pub use {bail, ensure};
