//! The values that are raised.

mod close_code;
mod detail;
mod http;
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

    /// The exception that `error` itself is, not looking at its sources.
    pub(crate) fn downcast_ref<'a>(error: &'a (dyn Error + 'static)) -> Option<Self> {
        if let Some(exception) = error.downcast_ref::<HttpException>() {
            return Some(Self::Http(exception.clone()));
        }
        let exception: &'a WebSocketException = error.downcast_ref()?;
        Some(Self::WebSocket(exception.clone()))
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

/// Stands for the exception that it holds: its source is that one's.
impl Error for Exception {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Http(exception) => exception.source(),
            Self::WebSocket(exception) => exception.source(),
        }
    }
}
