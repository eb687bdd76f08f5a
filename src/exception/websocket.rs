//! Exception that becomes the close frame of a WebSocket.

use std::{borrow::Cow, error::Error, fmt, panic::Location};

#[cfg(feature = "websocket")]
use super::repr::UnwindToken;
use super::{close_code::CloseCode, repr::ExceptionImpl};
use crate::error::BoxError;

/// Maximum length of the reason in a close frame, in bytes.
///
/// The payload of a control frame has at most 125 bytes
/// ([RFC 6455, section 5.5](https://www.rfc-editor.org/rfc/rfc6455#section-5.5)), of which the code
/// takes two.
const MAX_WIRE_REASON_BYTES: usize = 123;

/// Exception that becomes the close frame of a WebSocket: a code and a reason.
///
/// It is one pointer wide, as [`HttpException`](crate::HttpException) is.
///
/// If the request did not become a WebSocket, the exception is an HTTP response, as in FastAPI: a
/// `403` with the reason as its detail.
///
/// # Examples
///
/// ```
/// use tower_exception::{CloseCode, WebSocketException};
///
/// let exception = WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no swearing");
/// assert_eq!(exception.to_string(), "1008: no swearing");
/// ```
#[derive(Clone)]
#[must_use = "an exception does nothing unless it is returned or raised"]
pub struct WebSocketException(Box<ExceptionImpl<Close>>);

#[derive(Clone)]
struct Close {
    code: CloseCode,
    reason: Cow<'static, str>,
}

impl WebSocketException {
    /// Creates an exception with `code` and no reason.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_exception::{CloseCode, WebSocketException};
    /// let exception = WebSocketException::new(CloseCode::SERVICE_RESTART);
    /// assert_eq!(exception.code(), 1012);
    /// assert_eq!(exception.reason(), "");
    /// ```
    #[track_caller]
    pub fn new(code: CloseCode) -> Self {
        Self(Box::new(ExceptionImpl::new(Close {
            code,
            reason: Cow::Borrowed(""),
        })))
    }

    /// Sets the reason. Defaults to an empty text.
    ///
    /// The reason may be of any length, but a close frame holds 123 bytes of it: see
    /// [`wire_reason`](Self::wire_reason).
    pub fn with_reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.0.kind.reason = reason.into();
        self
    }

    /// Sets the source of the exception, for logs, observers and handlers. The client never
    /// receives it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_exception::{CloseCode, WebSocketException};
    /// let error = "many".parse::<u32>().unwrap_err();
    /// let exception = WebSocketException::new(CloseCode::INVALID_PAYLOAD).with_source(error);
    /// assert!(exception.origin().is_some());
    /// ```
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.set_source(source);
        self
    }

    /// Adds the id of the failure as the reason of a 1011 that has no other reason.
    pub(crate) fn with_id(self, id: Option<&str>) -> Self {
        match id {
            Some(id) if self.code() == CloseCode::INTERNAL_ERROR && self.reason().is_empty() => {
                self.with_reason(format!("error id: {id}"))
            }
            _ => self,
        }
    }

    /// Returns the close code.
    pub fn code(&self) -> CloseCode {
        self.0.kind.code
    }

    /// Returns the whole reason.
    pub fn reason(&self) -> &str {
        &self.0.kind.reason
    }

    /// Returns the part of the reason that a close frame holds: at most 123 bytes, cut at a
    /// character boundary.
    ///
    /// # Examples
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
        let mut end = reason.len().min(MAX_WIRE_REASON_BYTES);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        &reason[..end]
    }

    /// Returns the source that [`with_source`](Self::with_source) has set.
    ///
    /// This source is the second one in the chain of sources, as it is for
    /// [`HttpException::origin`](crate::HttpException::origin).
    pub fn origin(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// Returns the place in the code where the exception was created.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }

    /// Returns the exception that `error` itself is, or is the note of.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let contents = ExceptionImpl::of::<Self>(error)?;
        Some(Self(Box::new(contents.clone())))
    }

    /// Returns whether `error` itself is an exception, or the note of one.
    pub(super) fn is(error: &(dyn Error + 'static)) -> bool {
        ExceptionImpl::<Close>::of::<Self>(error).is_some()
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn set_unwind_token(&mut self, token: UnwindToken) {
        self.0.unwind_token = token;
    }
}

/// Writes the code and the reason: `1008: no swearing`, or `1012` if there is no reason.
impl fmt::Display for WebSocketException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            "" => write!(f, "{}", self.0.kind.code),
            reason => write!(f, "{}: {reason}", self.0.kind.code),
        }
    }
}

/// Shows of the source only that there is one.
impl fmt::Debug for WebSocketException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketException")
            .field("code", &self.0.kind.code)
            .field("reason", &self.0.kind.reason)
            .field("source", &self.0.debug_source())
            .field("location", &format_args!("{}", self.0.location))
            .finish()
    }
}

/// Has as its source a note of where the exception was created, as
/// [`HttpException`](crate::HttpException) has.
impl Error for WebSocketException {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;

    #[test]
    fn is_one_pointer_wide() {
        assert_eq!(size_of::<WebSocketException>(), size_of::<usize>());
    }

    #[test]
    fn the_wire_reason_is_cut_at_a_character_boundary() {
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
    fn the_sources_are_its_location_and_its_own_source() {
        let exception = WebSocketException::new(CloseCode::NORMAL_CLOSURE).with_source("the cause");
        let sources = iter::successors(exception.source(), |error| (*error).source());
        let texts: Vec<_> = sources.map(ToString::to_string).collect();
        let location = format!("created at {}", exception.location());
        assert_eq!(texts, [location, "the cause".to_owned()]);
    }

    #[test]
    fn location_is_the_line_of_the_caller() {
        let exception = WebSocketException::new(CloseCode::NORMAL_CLOSURE);
        let location = exception.location();
        assert_eq!((location.file(), location.line()), (file!(), line!() - 2));
    }
}
