use std::{borrow::Cow, error::Error, fmt, panic::Location};

use super::{CloseCode, inner::Inner};
use crate::BoxError;
#[cfg(feature = "websocket")]
use crate::{Exception, raise::Mark};

/// The most that a close frame can hold of a reason: a control frame's payload is at most 125 bytes
/// ([RFC 6455, section 5.5](https://www.rfc-editor.org/rfc/rfc6455#section-5.5)), two of which are
/// the code.
const WIRE_REASON_BYTES: usize = 123;

/// An exception that becomes the close frame of a WebSocket: a code and a reason.
///
/// One pointer wide, as [`HttpException`](crate::HttpException) is.
///
/// ```
/// use tower_exception::{CloseCode, WebSocketException};
///
/// let exception = WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no swearing");
/// assert_eq!(exception.to_string(), "1008: no swearing");
/// ```
///
/// To a request that did not become a WebSocket it is a refusal, as in FastAPI: `403`, with the
/// reason as the detail.
#[derive(Clone)]
pub struct WebSocketException(Box<Inner<Close>>);

#[derive(Clone)]
struct Close {
    code: CloseCode,
    reason: Cow<'static, str>,
}

impl WebSocketException {
    /// An exception with this code and no reason.
    ///
    /// ```
    /// # use tower_exception::{CloseCode, WebSocketException};
    /// let exception = WebSocketException::new(CloseCode::SERVICE_RESTART);
    /// assert_eq!(exception.code().get(), 1012);
    /// assert_eq!(exception.reason(), "");
    /// ```
    #[track_caller]
    #[must_use]
    pub fn new(code: CloseCode) -> Self {
        Self(Box::new(Inner::new(Close {
            code,
            reason: Cow::Borrowed(""),
        })))
    }

    /// Sets the reason. It may be of any length, but a close frame holds 123 bytes: see
    /// [`wire_reason`](Self::wire_reason).
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.0.says.reason = reason.into();
        self
    }

    /// Keeps `source` with the exception, for logs, observers and handlers. The client never sees it.
    ///
    /// ```
    /// # use tower_exception::{CloseCode, WebSocketException};
    /// let error = "many".parse::<u32>().unwrap_err();
    /// let exception = WebSocketException::new(CloseCode::INVALID_PAYLOAD).with_source(error);
    /// assert!(exception.origin().is_some());
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.set_source(source);
        self
    }

    /// The close code.
    pub fn code(&self) -> CloseCode {
        self.0.says.code
    }

    /// The reason, whole.
    pub fn reason(&self) -> &str {
        &self.0.says.reason
    }

    /// As much of the reason as a close frame holds: at most 123 bytes, cut between two characters.
    ///
    /// ```
    /// # use tower_exception::{CloseCode, WebSocketException};
    /// let exception = WebSocketException::new(CloseCode::POLICY_VIOLATION)
    ///     .with_reason("é".repeat(100));
    /// assert_eq!(exception.reason().len(), 200);
    /// assert_eq!(exception.wire_reason(), "é".repeat(61));
    /// ```
    pub fn wire_reason(&self) -> &str {
        let reason = self.reason();
        let mut end = reason.len().min(WIRE_REASON_BYTES);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        &reason[..end]
    }

    /// What [`with_source`](Self::with_source) was given.
    pub fn origin(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// Where in the code the exception was made.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }
}

/// The code and the reason: `1008: no swearing`, or `1012` where there is no reason.
impl fmt::Display for WebSocketException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            "" => write!(f, "{}", self.0.says.code),
            reason => write!(f, "{}: {reason}", self.0.says.code),
        }
    }
}

impl fmt::Debug for WebSocketException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketException")
            .field("code", &self.0.says.code)
            .field("reason", &self.0.says.reason)
            .field("source", &self.0.source)
            .field("location", &format_args!("{}", self.0.location))
            .finish()
    }
}

/// Its source is a note of where it was made, as [`HttpException`](crate::HttpException)'s is.
impl Error for WebSocketException {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl WebSocketException {
    /// The same, to be known while it unwinds.
    #[cfg(feature = "websocket")]
    pub(crate) fn marked(mut self) -> Self {
        self.0.mark = Mark::of(|| Exception::WebSocket(self.clone()));
        self
    }

    /// The same, once it is caught.
    #[cfg(feature = "websocket")]
    pub(crate) fn unmarked(mut self) -> Self {
        self.0.mark = Mark::default();
        self
    }

    /// The exception that `error` is, or is the note of.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(exception) = error.downcast_ref::<Self>() {
            return Some(exception.clone());
        }
        let inner: &Inner<Close> = error.downcast_ref()?;
        Some(Self(Box::new(inner.clone())))
    }

    pub(super) fn is(error: &(dyn Error + 'static)) -> bool {
        error.is::<Self>() || error.is::<Inner<Close>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pointer_wide() {
        assert_eq!(size_of::<WebSocketException>(), size_of::<usize>());
    }

    #[test]
    fn the_reason_on_the_wire_is_cut_between_characters() {
        let wire = |reason: String| {
            let exception = WebSocketException::new(CloseCode::NORMAL_CLOSURE).with_reason(reason);
            exception.wire_reason().to_owned()
        };
        assert_eq!(wire("r".repeat(123)), "r".repeat(123));
        assert_eq!(wire("r".repeat(124)), "r".repeat(123));
        assert_eq!(wire("🦄".repeat(31)), "🦄".repeat(30));
        assert_eq!(wire(format!("rrr{}", "🦄".repeat(31))).len(), 123);
        assert_eq!(wire(String::new()), "");
    }

    #[test]
    fn location_is_where_it_was_made() {
        let exception = WebSocketException::new(CloseCode::NORMAL_CLOSURE);
        let location = exception.location();
        assert_eq!((location.file(), location.line()), (file!(), line!() - 2));
    }
}
