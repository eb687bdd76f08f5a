//! Exceptions: the values that are meant for the client.

mod close_code;
#[cfg(feature = "tonic")]
mod converted;
#[cfg(feature = "serde_path_to_error")]
mod deserialization;
mod detail;
mod fault;
mod fault_position;
mod faults;
mod http;
mod http_detail;
mod http_headers;
mod http_supplement;
mod invalid;
mod members;
mod or_exception;
#[cfg(feature = "axum")]
mod rejections;
mod repr;
mod shorthands;
mod supplement;
mod websocket;

use std::{error::Error, fmt, panic::Location};

#[cfg(any(feature = "garde", feature = "tonic", feature = "validator"))]
pub(crate) use self::fault_position::FaultPosition;
#[cfg(any(feature = "garde", feature = "validator"))]
pub(crate) use self::fault_position::Step;
#[cfg(feature = "axum")]
pub(crate) use self::rejections::Rejection;
#[cfg(feature = "websocket")]
pub(crate) use self::repr::UnwindToken;
#[cfg(feature = "tonic")]
pub(crate) use self::supplement::Supplement;
pub use self::{
    close_code::{CloseCode, InvalidCloseCode},
    detail::{Detail, DetailRef},
    fault::Fault,
    fault_position::RequestPart,
    http::HttpException,
    members::InvalidMember,
    or_exception::{DetailOf, OrException},
    websocket::WebSocketException,
};
pub(crate) use self::{http_supplement::whole_seconds, members::MemberList};

use crate::error::{BoxError, find};

/// Exception of either kind.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "an exception does nothing unless it is returned or raised"]
pub enum Exception {
    /// Exception that becomes an HTTP response.
    Http(HttpException),
    /// Exception that becomes the close frame of a WebSocket.
    WebSocket(WebSocketException),
}

impl Exception {
    /// Returns the place in the code where the exception was created.
    pub fn location(&self) -> &'static Location<'static> {
        match self {
            Self::Http(exception) => exception.location(),
            Self::WebSocket(exception) => exception.location(),
        }
    }

    /// Returns the source that the exception was created with: see [`HttpException::origin`].
    pub fn origin(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match self {
            Self::Http(exception) => exception.origin(),
            Self::WebSocket(exception) => exception.origin(),
        }
    }

    /// Returns the exception that `error` itself is, or that a report has as its context. Its
    /// sources are not searched.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(exception) = error.downcast_ref::<Self>() {
            return Some(exception.clone());
        }
        HttpException::of(error)
            .map(Self::Http)
            .or_else(|| WebSocketException::of(error).map(Self::WebSocket))
            .or_else(|| Some(find::<HttpException>(error)?.clone().into()))
            .or_else(|| Some(find::<WebSocketException>(error)?.clone().into()))
    }

    /// Returns the exception that a boxed error itself is, by value.
    ///
    /// # Errors
    ///
    /// The error, if it is none.
    pub(crate) fn downcast(error: BoxError) -> Result<Self, BoxError> {
        let error = match error.downcast::<HttpException>() {
            Ok(exception) => return Ok(Self::Http(*exception)),
            Err(error) => error,
        };
        let error = match error.downcast::<WebSocketException>() {
            Ok(exception) => return Ok(Self::WebSocket(*exception)),
            Err(error) => error,
        };
        error.downcast::<Self>().map(|exception| *exception)
    }

    /// Returns whether [`downcast`](Self::downcast) finds an exception.
    pub(crate) fn is_value(error: &(dyn Error + 'static)) -> bool {
        error.is::<HttpException>() || error.is::<WebSocketException>() || error.is::<Self>()
    }

    /// Returns whether `error` itself is an exception, or is a report that has one as its context.
    /// Its sources are not searched.
    pub(crate) fn is(error: &(dyn Error + 'static)) -> bool {
        error.is::<Self>()
            || HttpException::is(error)
            || WebSocketException::is(error)
            || find::<HttpException>(error).is_some()
            || find::<WebSocketException>(error).is_some()
    }

    /// Returns the [`HttpException`] or [`WebSocketException`] as an error.
    pub(crate) fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        match self {
            Self::Http(exception) => exception,
            Self::WebSocket(exception) => exception,
        }
    }
}

impl From<HttpException> for Exception {
    fn from(exception: HttpException) -> Self {
        Self::Http(exception)
    }
}

impl From<WebSocketException> for Exception {
    fn from(exception: WebSocketException) -> Self {
        Self::WebSocket(exception)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(exception) => exception.fmt(f),
            Self::WebSocket(exception) => exception.fmt(f),
        }
    }
}

/// Has the same source as the exception that the variant holds.
impl Error for Exception {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.as_error().source()
    }
}
