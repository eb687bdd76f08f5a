use std::fmt;

use http::{HeaderValue, StatusCode};

/// Defines the codes, a row each: the variant, its number, its name, the HTTP status that it maps to.
macro_rules! codes {
    ($($(#[$docs:meta])* $variant:ident = $number:literal, $name:literal, $status:literal;)*) => {
        /// A gRPC status code, and what it is in HTTP: `GrpcCode::from(status)` and
        /// [`http_status`](Self::http_status).
        ///
        /// A client is given one in place of an HTTP status, and observers see it as
        /// [`Answer::Grpc`](crate::Answer::Grpc). With the feature `tonic` it converts from and into
        /// `tonic::Code`. The tables, with the source of each row, are in the
        /// [guide](crate::docs::grpc#codes). gRPC has these codes and takes any other number for
        /// [`Unknown`](Self::Unknown), so that a `match` may name them all.
        ///
        /// ```
        /// use http::StatusCode;
        /// use tower_exception::GrpcCode;
        ///
        /// assert_eq!(GrpcCode::from(StatusCode::NOT_FOUND), GrpcCode::NotFound);
        /// assert_eq!(GrpcCode::NotFound.http_status(), StatusCode::NOT_FOUND);
        /// assert_eq!(GrpcCode::NotFound.number(), 5);
        /// assert_eq!(GrpcCode::NotFound.to_string(), "NOT_FOUND");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum GrpcCode {
            $($(#[$docs])* $variant = $number,)*
        }

        impl GrpcCode {
            /// The code with this number. One that gRPC does not have is
            /// [`Unknown`](Self::Unknown), as gRPC's own libraries take it.
            ///
            /// ```
            /// # use tower_exception::GrpcCode;
            /// assert_eq!(GrpcCode::from_number(14), GrpcCode::Unavailable);
            /// assert_eq!(GrpcCode::from_number(99), GrpcCode::Unknown);
            /// ```
            pub const fn from_number(number: i32) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    _ => Self::Unknown,
                }
            }

            /// The HTTP status that [google/rpc/code.proto] gives for the code.
            ///
            /// [google/rpc/code.proto]: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
            pub fn http_status(self) -> StatusCode {
                let status: u16 = match self {
                    $(Self::$variant => $status,)*
                };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// As `grpc-status` has it.
            pub(crate) fn header_value(self) -> HeaderValue {
                HeaderValue::from_static(match self {
                    $(Self::$variant => stringify!($number),)*
                })
            }
        }
    };
}

codes! {
    /// 0: it worked.
    Ok = 0, "OK", 200;
    /// 1: the caller gave up.
    Cancelled = 1, "CANCELLED", 499;
    /// 2: an error of which nothing more is known.
    Unknown = 2, "UNKNOWN", 500;
    /// 3: the client asked for something that makes no sense, whatever the state of the system.
    InvalidArgument = 3, "INVALID_ARGUMENT", 400;
    /// 4: it took longer than it may.
    DeadlineExceeded = 4, "DEADLINE_EXCEEDED", 504;
    /// 5: what was asked for is not there.
    NotFound = 5, "NOT_FOUND", 404;
    /// 6: what was to be made is there already.
    AlreadyExists = 6, "ALREADY_EXISTS", 409;
    /// 7: the caller is known, and may not.
    PermissionDenied = 7, "PERMISSION_DENIED", 403;
    /// 8: a quota or some other resource is used up.
    ResourceExhausted = 8, "RESOURCE_EXHAUSTED", 429;
    /// 9: the system is not in the state that the operation needs: no retry will help before that changes.
    FailedPrecondition = 9, "FAILED_PRECONDITION", 400;
    /// 10: another operation was in the way: to be retried from further up.
    Aborted = 10, "ABORTED", 409;
    /// 11: past the end of something.
    OutOfRange = 11, "OUT_OF_RANGE", 400;
    /// 12: there is no such operation.
    Unimplemented = 12, "UNIMPLEMENTED", 501;
    /// 13: something is broken.
    Internal = 13, "INTERNAL", 500;
    /// 14: not now: to be retried.
    Unavailable = 14, "UNAVAILABLE", 503;
    /// 15: data is lost for good.
    DataLoss = 15, "DATA_LOSS", 500;
    /// 16: the caller is not known.
    Unauthenticated = 16, "UNAUTHENTICATED", 401;
}

impl GrpcCode {
    /// The code as a number.
    ///
    /// ```
    /// # use tower_exception::GrpcCode;
    /// assert_eq!(GrpcCode::Unauthenticated.number(), 16);
    /// ```
    pub const fn number(self) -> i32 {
        self as i32
    }
}

/// The code that an exception with this status is.
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
            // No answer, so that a 500 stands for it.
            100..=199 => Self::Internal,
            402..=499 => Self::FailedPrecondition,
            500..=599 => Self::Internal,
            _ => Self::Unknown,
        }
    }
}

/// The name that gRPC has for it: `NOT_FOUND`.
impl fmt::Display for GrpcCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_tonics() {
        for number in -1..20 {
            let code = GrpcCode::from_number(number);
            assert_eq!(code.number(), tonic::Code::from_i32(number) as i32);
            assert_eq!(code.header_value(), code.number().to_string());
        }
    }

    /// But for those that share an HTTP status with a code that says more, or less, of it.
    #[test]
    fn a_code_comes_back_from_its_http_status() {
        for number in 1..17 {
            let code = GrpcCode::from_number(number);
            let expected = match code {
                GrpcCode::AlreadyExists => GrpcCode::Aborted,
                GrpcCode::FailedPrecondition | GrpcCode::OutOfRange => GrpcCode::InvalidArgument,
                GrpcCode::Unknown | GrpcCode::DataLoss => GrpcCode::Internal,
                code => code,
            };
            assert_eq!(GrpcCode::from(code.http_status()), expected, "{code}");
        }
    }

    /// No exception is a success.
    #[test]
    fn no_status_is_ok() {
        for status in 100..1000 {
            let status = StatusCode::from_u16(status).unwrap();
            assert_ne!(GrpcCode::from(status), GrpcCode::Ok, "{status}");
        }
    }
}
