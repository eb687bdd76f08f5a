//! The statuses of other crates' errors, for a failure to which no handler replies.

use std::error::Error;

#[cfg(feature = "tower")]
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
#[cfg(feature = "tower")]
use http_body_util::LengthLimitError;
#[cfg(feature = "tower")]
use tower::{buffer, load_shed, timeout};
#[cfg(feature = "tower")]
use tower_http::timeout::TimeoutError;

#[cfg(feature = "axum")]
use super::rejection;
#[cfg(feature = "tower")]
use crate::error::is;
use crate::exception::HttpException;
#[cfg(feature = "tonic")]
use crate::grpc::tonic::exception_for;

/// Whether any error is known. Without a feature that has one, no search is made.
pub(crate) const IS_ANY_KNOWN: bool =
    cfg!(any(feature = "axum", feature = "tonic", feature = "tower"));

/// Returns the exception that stands for another crate's error.
///
/// `is_outermost` says whether `error` is the failure itself, and not only a source of it.
pub(crate) fn status_for(
    error: &(dyn Error + 'static),
    is_outermost: bool,
) -> Option<HttpException> {
    #[cfg(feature = "tower")]
    if let Some(exception) = of_tower(error) {
        return Some(exception);
    }
    #[cfg(feature = "axum")]
    if let Some(exception) = rejection::exception_for(error, is_outermost) {
        return Some(exception);
    }
    #[cfg(feature = "tonic")]
    if let Some(exception) = exception_for(error, is_outermost) {
        return Some(exception);
    }
    let _ = (error, is_outermost);
    None
}

/// The guide to handlers has the same table.
#[cfg(feature = "tower")]
fn of_tower(error: &(dyn Error + 'static)) -> Option<HttpException> {
    if is::<load_shed::error::Overloaded>(error) {
        let exception = HttpException::new(StatusCode::SERVICE_UNAVAILABLE);
        // Load is shed at one moment; the next request may be served.
        return Some(exception.with_header(RETRY_AFTER, HeaderValue::from_static("1")));
    }
    let status = if is::<timeout::error::Elapsed>(error) || is::<tokio::time::error::Elapsed>(error)
    {
        StatusCode::GATEWAY_TIMEOUT
    } else if is::<TimeoutError>(error) {
        // The client did not send its body in time.
        StatusCode::REQUEST_TIMEOUT
    } else if is::<buffer::error::Closed>(error) {
        StatusCode::SERVICE_UNAVAILABLE
    } else if is::<LengthLimitError>(error) {
        StatusCode::PAYLOAD_TOO_LARGE
    } else {
        return None;
    };
    Some(HttpException::new(status))
}
