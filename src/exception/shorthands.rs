//! Constructors for the statuses that are used daily, and conversions from a status.

use http::StatusCode;

use super::{detail::Detail, http::HttpException};

/// Defines one constructor per row: the status, with a detail.
macro_rules! shorthands {
    ($($name:ident = $status:ident, $code:literal;)*) => {
        /// Shorthands for the statuses that are used daily. Each takes the same detail as
        /// [`with_detail`](HttpException::with_detail).
        impl HttpException {
            $(
                #[doc = concat!(
                    "Creates a ", $code, " with `detail`.\n\n",
                    "# Examples\n\n",
                    "```\n",
                    "# use tower_exception::HttpException;\n",
                    "let exception = HttpException::", stringify!($name), "(\"because\");\n",
                    "assert_eq!(exception.to_string(), \"", $code, ": because\");\n",
                    "```"
                )]
                #[track_caller]
                pub fn $name(detail: impl Into<Detail>) -> Self {
                    Self::new(StatusCode::$status).with_detail(detail)
                }
            )*
        }
    };
}

shorthands! {
    bad_request = BAD_REQUEST, "400";
    unauthorized = UNAUTHORIZED, "401";
    payment_required = PAYMENT_REQUIRED, "402";
    forbidden = FORBIDDEN, "403";
    not_found = NOT_FOUND, "404";
    method_not_allowed = METHOD_NOT_ALLOWED, "405";
    not_acceptable = NOT_ACCEPTABLE, "406";
    request_timeout = REQUEST_TIMEOUT, "408";
    conflict = CONFLICT, "409";
    gone = GONE, "410";
    precondition_failed = PRECONDITION_FAILED, "412";
    payload_too_large = PAYLOAD_TOO_LARGE, "413";
    unsupported_media_type = UNSUPPORTED_MEDIA_TYPE, "415";
    unprocessable_entity = UNPROCESSABLE_ENTITY, "422";
    too_many_requests = TOO_MANY_REQUESTS, "429";
    internal_server_error = INTERNAL_SERVER_ERROR, "500";
    not_implemented = NOT_IMPLEMENTED, "501";
    bad_gateway = BAD_GATEWAY, "502";
    service_unavailable = SERVICE_UNAVAILABLE, "503";
    gateway_timeout = GATEWAY_TIMEOUT, "504";
}

impl From<StatusCode> for HttpException {
    #[track_caller]
    fn from(status: StatusCode) -> Self {
        Self::new(status)
    }
}

impl<D: Into<Detail>> From<(StatusCode, D)> for HttpException {
    #[track_caller]
    fn from((status, detail): (StatusCode, D)) -> Self {
        Self::new(status).with_detail(detail)
    }
}
