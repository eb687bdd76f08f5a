use std::error::Error;

use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use http_body_util::LengthLimitError;
use tower::{ServiceBuilder, buffer, load_shed, timeout};
use tower_http::timeout::TimeoutError;
use tower_layer::Stack;

use crate::{ExceptionLayer, HttpException};

/// What an error of tower's or tower-http's own comes to, where no handler answers it. The table in the guide
/// to handlers says the same.
pub(crate) fn known(error: &(dyn Error + 'static)) -> Option<HttpException> {
    if error.is::<load_shed::error::Overloaded>() {
        let exception = HttpException::new(StatusCode::SERVICE_UNAVAILABLE);
        // It was shed at that very moment: the next one may be served.
        return Some(exception.with_header(RETRY_AFTER, HeaderValue::from_static("1")));
    }
    let status =
        if error.is::<timeout::error::Elapsed>() || error.is::<tokio::time::error::Elapsed>() {
            StatusCode::GATEWAY_TIMEOUT
        } else if error.is::<TimeoutError>() {
            // The client did not send its body in time.
            StatusCode::REQUEST_TIMEOUT
        } else if error.is::<buffer::error::Closed>() {
            StatusCode::SERVICE_UNAVAILABLE
        } else if error.is::<LengthLimitError>() {
            StatusCode::PAYLOAD_TOO_LARGE
        } else {
            return None;
        };
    Some(HttpException::new(status))
}

/// Adds exceptions to tower's [`ServiceBuilder`].
pub trait ServiceBuilderExt<L>: sealed::Sealed<L> + Sized {
    /// Catches the exceptions, errors and panics of everything below, as
    /// [`ExceptionLayer::new`] does.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower::ServiceBuilder;
    /// use tower_exception::ServiceBuilderExt as _;
    ///
    /// let layers = ServiceBuilder::new()
    ///     .catch_exceptions()
    ///     .timeout(Duration::from_secs(10));
    /// ```
    fn catch_exceptions(self) -> ServiceBuilder<Stack<ExceptionLayer, L>>;
}

impl<L> ServiceBuilderExt<L> for ServiceBuilder<L> {
    fn catch_exceptions(self) -> ServiceBuilder<Stack<ExceptionLayer, L>> {
        self.layer(ExceptionLayer::new())
    }
}

mod sealed {
    pub trait Sealed<L> {}
    impl<L> Sealed<L> for tower::ServiceBuilder<L> {}
}
