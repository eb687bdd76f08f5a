//! gRPC status codes and their mapping to and from HTTP statuses.

use std::fmt;

use http::{HeaderValue, StatusCode};

/// Defines one code per row: the variant, its number, its name and the HTTP status that it maps to.
macro_rules! codes {
    ($($(#[$docs:meta])* $variant:ident = $number:literal, $name:literal, $status:literal;)*) => {
        /// gRPC status code, convertible from and to an HTTP status: `GrpcCode::from(status)` and
        /// [`http_status`](Self::http_status).
        ///
        /// A gRPC client receives a code in place of an HTTP status. Observers receive it as
        /// [`Outcome::Grpc`](crate::Outcome::Grpc). With the feature `tonic` a code converts from
        /// and into `tonic::Code`. The tables, with the source of each row, are in the
        /// [guide](crate::grpc#codes).
        ///
        /// The enum is exhaustive, so a `match` may name every code: gRPC has no others, and reads
        /// any other number as [`Unknown`](Self::Unknown).
        ///
        /// ```
        /// use http::StatusCode;
        /// use tower_exception::GrpcCode;
        ///
        /// assert_eq!(GrpcCode::from(StatusCode::NOT_FOUND), GrpcCode::NotFound);
        /// assert_eq!(GrpcCode::NotFound.http_status(), StatusCode::NOT_FOUND);
        /// assert_eq!(GrpcCode::NotFound, 5);
        /// assert_eq!(GrpcCode::NotFound.to_string(), "NOT_FOUND");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum GrpcCode {
            $($(#[$docs])* $variant = $number,)*
        }

        impl GrpcCode {
            /// Returns the code with this number.
            ///
            /// A number that gRPC does not define becomes [`Unknown`](Self::Unknown), as in gRPC's
            /// own libraries.
            ///
            /// ```
            /// # use tower_exception::GrpcCode;
            /// assert_eq!(GrpcCode::from_i32(14), GrpcCode::Unavailable);
            /// assert_eq!(GrpcCode::from_i32(99), GrpcCode::Unknown);
            /// ```
            pub const fn from_i32(number: i32) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    _ => Self::Unknown,
                }
            }

            /// Returns the HTTP status that [google/rpc/code.proto] defines for the code.
            ///
            /// [google/rpc/code.proto]: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
            pub fn http_status(self) -> StatusCode {
                let status: u16 = match self {
                    $(Self::$variant => $status,)*
                };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Returns the value of `grpc-status`.
            pub(crate) fn header_value(self) -> HeaderValue {
                HeaderValue::from_static(match self {
                    $(Self::$variant => stringify!($number),)*
                })
            }
        }
    };
}

codes! {
    /// 0: The call succeeded.
    Ok = 0, "OK", 200;
    /// 1: The caller cancelled the call.
    Cancelled = 1, "CANCELLED", 499;
    /// 2: An error about which nothing more is known.
    Unknown = 2, "UNKNOWN", 500;
    /// 3: An argument is invalid regardless of the state of the system.
    InvalidArgument = 3, "INVALID_ARGUMENT", 400;
    /// 4: The deadline expired before the operation completed.
    DeadlineExceeded = 4, "DEADLINE_EXCEEDED", 504;
    /// 5: The requested entity does not exist.
    NotFound = 5, "NOT_FOUND", 404;
    /// 6: The entity to create exists already.
    AlreadyExists = 6, "ALREADY_EXISTS", 409;
    /// 7: The caller is known and lacks permission for the operation.
    PermissionDenied = 7, "PERMISSION_DENIED", 403;
    /// 8: A quota or another resource is exhausted.
    ResourceExhausted = 8, "RESOURCE_EXHAUSTED", 429;
    /// 9: The system is not in the state that the operation requires. A retry fails until the state
    /// has changed.
    FailedPrecondition = 9, "FAILED_PRECONDITION", 400;
    /// 10: Another operation interfered. The client may retry at a higher level.
    Aborted = 10, "ABORTED", 409;
    /// 11: The operation went past the end of a valid range.
    OutOfRange = 11, "OUT_OF_RANGE", 400;
    /// 12: The server does not implement the operation.
    Unimplemented = 12, "UNIMPLEMENTED", 501;
    /// 13: Something in the system is broken.
    Internal = 13, "INTERNAL", 500;
    /// 14: The service is temporarily unavailable. The client may retry.
    Unavailable = 14, "UNAVAILABLE", 503;
    /// 15: Data is permanently lost.
    DataLoss = 15, "DATA_LOSS", 500;
    /// 16: The caller is not authenticated.
    Unauthenticated = 16, "UNAUTHENTICATED", 401;
}

impl GrpcCode {
    /// Returns the code as a number.
    ///
    /// ```
    /// # use tower_exception::GrpcCode;
    /// assert_eq!(GrpcCode::Unauthenticated.as_i32(), 16);
    /// ```
    pub const fn as_i32(self) -> i32 {
        self as i32
    }
}

impl PartialEq<i32> for GrpcCode {
    fn eq(&self, number: &i32) -> bool {
        self.as_i32() == *number
    }
}

impl PartialEq<GrpcCode> for i32 {
    fn eq(&self, code: &GrpcCode) -> bool {
        code == self
    }
}

/// Converts a code to its number.
impl From<GrpcCode> for i32 {
    fn from(code: GrpcCode) -> Self {
        code.as_i32()
    }
}

/// Converts the HTTP status of an exception to the code that a gRPC client receives.
impl From<StatusCode> for GrpcCode {
    fn from(status: StatusCode) -> Self {
        match status.as_u16() {
            400 | 422 => Self::InvalidArgument,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 | 410 => Self::NotFound,
            405 | 501 => Self::Unimplemented,
            408 | 504 => Self::DeadlineExceeded,
            409 => Self::Aborted,
            413 | 429 | 431 => Self::ResourceExhausted,
            416 => Self::OutOfRange,
            499 => Self::Cancelled,
            502 | 503 => Self::Unavailable,
            // An informational status cannot end an exchange, so it is replaced with a 500.
            100..=199 => Self::Internal,
            402..=499 => Self::FailedPrecondition,
            500..=599 => Self::Internal,
            _ => Self::Unknown,
        }
    }
}

/// Writes gRPC's name of the code, such as `NOT_FOUND`.
impl fmt::Display for GrpcCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_match_tonic() {
        for number in -1..20 {
            let code = GrpcCode::from_i32(number);
            assert_eq!(code.as_i32(), tonic::Code::from_i32(number) as i32);
            assert_eq!(code.header_value(), code.as_i32().to_string());
        }
    }

    #[test]
    fn equals_its_number() {
        for number in 0..17 {
            let code = GrpcCode::from_i32(number);
            assert_eq!(code, number);
            assert_eq!(number, code);
            assert_ne!(code, number + 1);
            assert_eq!(i32::from(code), number);
        }
    }

    /// Except a code that shares its HTTP status with a more or a less specific one.
    #[test]
    fn code_survives_conversion_to_http_status() {
        for number in 1..17 {
            let code = GrpcCode::from_i32(number);
            let expected = match code {
                GrpcCode::AlreadyExists => GrpcCode::Aborted,
                GrpcCode::FailedPrecondition | GrpcCode::OutOfRange => GrpcCode::InvalidArgument,
                GrpcCode::Unknown | GrpcCode::DataLoss => GrpcCode::Internal,
                code => code,
            };
            assert_eq!(GrpcCode::from(code.http_status()), expected, "{code}");
        }
    }

    #[test]
    fn is_shown_as_its_name() {
        assert_eq!(GrpcCode::NotFound.to_string(), "NOT_FOUND");
        assert_eq!(GrpcCode::from_i32(-1).to_string(), "UNKNOWN");
    }

    /// No exception is a success.
    #[test]
    fn no_http_status_is_ok() {
        for status in 100..1000 {
            let status = StatusCode::from_u16(status).unwrap();
            assert_ne!(GrpcCode::from(status), GrpcCode::Ok, "{status}");
        }
    }
}
