//! The values that are raised.

mod close_code;
mod detail;
mod http;
mod inner;
mod websocket;

use std::{error::Error, fmt, panic::Location};

pub(crate) use detail::Shown;
pub use {
    self::http::HttpException,
    close_code::{CloseCode, InvalidCloseCode},
    detail::Detail,
    websocket::WebSocketException,
};

/// An exception of either kind.
#[derive(Clone, Debug)]
pub enum Exception {
    /// One that becomes an HTTP response.
    Http(HttpException),
    /// One that becomes a WebSocket's close frame.
    WebSocket(WebSocketException),
}

impl Exception {
    /// Where in the code the exception was made.
    pub fn location(&self) -> &'static Location<'static> {
        match self {
            Self::Http(exception) => exception.location(),
            Self::WebSocket(exception) => exception.location(),
        }
    }

    /// What the exception was given for a source.
    pub fn origin(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match self {
            Self::Http(exception) => exception.origin(),
            Self::WebSocket(exception) => exception.origin(),
        }
    }

    /// The exception that `error` itself is, not looking at its sources.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(exception) = error.downcast_ref::<Self>() {
            return Some(exception.clone());
        }
        HttpException::of(error)
            .map(Self::Http)
            .or_else(|| WebSocketException::of(error).map(Self::WebSocket))
    }

    /// Whether `error` itself is an exception.
    pub(crate) fn is(error: &(dyn Error + 'static)) -> bool {
        error.is::<Self>() || HttpException::is(error) || WebSocketException::is(error)
    }

    /// The exception of one kind or the other, as an error.
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

/// Stands for the exception that it holds, and has its source.
impl Error for Exception {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.as_error().source()
    }
}
