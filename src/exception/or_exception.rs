//! Exceptions for the missing value of an `Option` and the error of a `Result`.

use std::panic::Location;

use http::StatusCode;

use super::{detail::Detail, http::HttpException};
use crate::error::{BoxError, Error};

/// Defines one method per row: the status, with a detail.
macro_rules! shorthands {
    ($($name:ident = $status:ident, $code:literal;)*) => {
        /// Turns `None` or an error into an [`HttpException`], so that `?` returns it.
        ///
        /// Each method takes the detail: a text or any other [`Detail`], or a closure that returns
        /// one. A closure has no argument (`|| ..`), or, for a `Result`, a reference to the error,
        /// of which it names that it is one: `|error: &_| ..`.
        ///
        /// The error becomes the [source](HttpException::origin) of the exception, for the log, and
        /// does not reach the client. The [location](HttpException::location) of the exception is
        /// the line of the call.
        ///
        /// # Examples
        ///
        /// ```
        /// use tower_exception::{HttpException, prelude::*};
        ///
        /// fn item(items: &[&'static str], number: &str) -> Result<&'static str, HttpException> {
        ///     let number: usize = number
        ///         .parse()
        ///         .or_bad_request(|error: &_| format!("not a number: {error}"))?;
        ///     items.get(number).copied().or_not_found("no such item")
        /// }
        ///
        /// let exception = item(&["plumbus"], "one").unwrap_err();
        /// assert_eq!(exception.to_string(), "400: not a number: invalid digit found in string");
        /// assert!(exception.origin().is_some());
        /// assert_eq!(item(&["plumbus"], "1").unwrap_err().to_string(), "404: no such item");
        /// ```
        pub trait OrException<T, E>: sealed::Sealed<T, E> + Sized {
            /// Returns the value, or an exception with this status and detail.
            ///
            /// # Errors
            ///
            /// The exception.
            #[track_caller]
            fn or_status<M>(
                self,
                status: StatusCode,
                detail: impl DetailOf<E, M>,
            ) -> Result<T, HttpException> {
                self.or_exception(status, detail, Location::caller())
            }

            $(
                #[doc = concat!(
                    "Returns the value, or a ", $code, " with `detail`.\n\n",
                    "# Errors\n\nThe exception.\n\n",
                    "# Examples\n\n",
                    "```\n",
                    "use tower_exception::prelude::*;\n\n",
                    "let exception = None::<u8>.", stringify!($name), "(\"because\").unwrap_err();\n",
                    "assert_eq!(exception.to_string(), \"", $code, ": because\");\n",
                    "```"
                )]
                #[track_caller]
                fn $name<M>(self, detail: impl DetailOf<E, M>) -> Result<T, HttpException> {
                    self.or_exception(StatusCode::$status, detail, Location::caller())
                }
            )*
        }
    };
}

shorthands! {
    or_bad_request = BAD_REQUEST, "400";
    or_unauthorized = UNAUTHORIZED, "401";
    or_payment_required = PAYMENT_REQUIRED, "402";
    or_forbidden = FORBIDDEN, "403";
    or_not_found = NOT_FOUND, "404";
    or_method_not_allowed = METHOD_NOT_ALLOWED, "405";
    or_not_acceptable = NOT_ACCEPTABLE, "406";
    or_request_timeout = REQUEST_TIMEOUT, "408";
    or_conflict = CONFLICT, "409";
    or_gone = GONE, "410";
    or_precondition_failed = PRECONDITION_FAILED, "412";
    or_payload_too_large = PAYLOAD_TOO_LARGE, "413";
    or_unsupported_media_type = UNSUPPORTED_MEDIA_TYPE, "415";
    or_unprocessable_entity = UNPROCESSABLE_ENTITY, "422";
    or_too_many_requests = TOO_MANY_REQUESTS, "429";
    or_internal_server_error = INTERNAL_SERVER_ERROR, "500";
    or_not_implemented = NOT_IMPLEMENTED, "501";
    or_bad_gateway = BAD_GATEWAY, "502";
    or_service_unavailable = SERVICE_UNAVAILABLE, "503";
    or_gateway_timeout = GATEWAY_TIMEOUT, "504";
}

impl<T> OrException<T, ()> for Option<T> {}

/// For every `E` that converts into an [`Error`].
impl<T, E> OrException<T, E> for Result<T, E> where Self: sealed::Sealed<T, E> {}

/// Detail of an exception that replaces an error of the type `E`: a [`Detail`], or a closure.
///
/// The trait is sealed. `M` is a marker that no code ever names: it separates the kinds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a detail",
    label = "neither a detail nor a closure that returns one",
    note = "a detail is a text, a `serde_json::Value`, or a `tower_exception::Detail`, such as `Detail::json(&value)?`",
    note = "a closure has no argument, or one that is marked as a reference to the error of a `Result`: `|error: &_| format!(\"{{error}}\")`"
)]
pub trait DetailOf<E, M> {
    #[doc(hidden)]
    fn detail_of(self, error: &E) -> Detail;
}

#[diagnostic::do_not_recommend]
impl<E, D: Into<Detail>> DetailOf<E, sealed::Value> for D {
    fn detail_of(self, _: &E) -> Detail {
        self.into()
    }
}

#[diagnostic::do_not_recommend]
impl<E, F, D> DetailOf<E, sealed::OfError<D>> for F
where
    F: FnOnce(&E) -> D,
    D: Into<Detail>,
{
    fn detail_of(self, error: &E) -> Detail {
        self(error).into()
    }
}

#[diagnostic::do_not_recommend]
impl<E, F, D> DetailOf<E, sealed::Lazy<D>> for F
where
    F: FnOnce() -> D,
    D: Into<Detail>,
{
    fn detail_of(self, _: &E) -> Detail {
        self().into()
    }
}

/// Returns the error as the source of an exception, by its own type.
fn source_of(error: Error) -> BoxError {
    match error.into_located() {
        Ok(located) => located.value.into_boxed(),
        Err(error) => error.into_boxed(),
    }
}

mod sealed {
    use super::{DetailOf, Error, HttpException, Location, StatusCode, source_of};

    #[diagnostic::on_unimplemented(
        message = "the error of `{Self}` is not an error",
        label = "its `Err` is not an error",
        note = "the error of the `Result` has to implement `std::error::Error + Send + Sync + 'static`, or to convert into a boxed one",
        note = "use `.ok()` to drop it, or `.map_err(|error| ..)` to convert it"
    )]
    pub trait Sealed<T, E> {
        fn or_exception<M>(
            self,
            status: StatusCode,
            detail: impl DetailOf<E, M>,
            location: &'static Location<'static>,
        ) -> Result<T, HttpException>;
    }

    impl<T> Sealed<T, ()> for Option<T> {
        fn or_exception<M>(
            self,
            status: StatusCode,
            detail: impl DetailOf<(), M>,
            location: &'static Location<'static>,
        ) -> Result<T, HttpException> {
            self.ok_or_else(|| {
                HttpException::new_at(status, location).with_detail(detail.detail_of(&()))
            })
        }
    }

    impl<T, E: Into<Error>> Sealed<T, E> for Result<T, E> {
        fn or_exception<M>(
            self,
            status: StatusCode,
            detail: impl DetailOf<E, M>,
            location: &'static Location<'static>,
        ) -> Result<T, HttpException> {
            self.map_err(|error| {
                let detail = detail.detail_of(&error);
                HttpException::new_at(status, location)
                    .with_detail(detail)
                    .with_source(source_of(error.into()))
            })
        }
    }

    /// The marker of a value.
    pub struct Value;

    /// The marker of a closure of the error.
    pub struct OfError<D>(D);

    /// The marker of a closure without an argument.
    pub struct Lazy<D>(D);
}
