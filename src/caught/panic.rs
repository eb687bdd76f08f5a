//! A panic, as handlers and observers see it.

use std::{
    any::{Any, type_name},
    backtrace::Backtrace,
    borrow::Cow,
    error::Error,
    fmt,
};

use super::payload::Payload;
#[cfg(feature = "websocket")]
use crate::panic_record::Text;
use crate::panic_record::{SharedRecord, SourceLocation};

/// A panic: an unwinding whose payload is neither an exception nor an error.
///
/// ```
/// use tower_exception::{Caught, ExceptionLayer, HttpException, Panic};
///
/// let layer = ExceptionLayer::new().on_panic(|panic: Caught<Panic>| {
///     eprintln!("{}: {:?}", panic.request().uri(), panic.message());
///     HttpException::internal_server_error("we are looking into it")
/// });
/// ```
#[derive(Clone)]
pub struct Panic {
    message: Option<Cow<'static, str>>,
    /// `None` if the payload is the message.
    payload: Option<Payload>,
    record: Option<SharedRecord>,
}

impl Panic {
    /// Creates a panic with this message, for the unit test of a handler.
    ///
    /// ```
    /// use tower_exception::Panic;
    ///
    /// assert_eq!(Panic::new("out of range").to_string(), "panicked: out of range");
    /// ```
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: Some(message.into()),
            payload: None,
            record: None,
        }
    }

    pub(crate) fn from_payload(payload: Box<dyn Any + Send>, record: Option<SharedRecord>) -> Self {
        let (message, payload) = match message_of(payload) {
            Ok(message) => (Some(message), None),
            Err(payload) => (None, Some(Payload::new(payload))),
        };
        Self {
            message,
            payload,
            record,
        }
    }

    /// A panic of which nothing is known but its record.
    #[cfg(feature = "websocket")]
    pub(crate) fn of_record(record: Option<SharedRecord>) -> Self {
        let text = record.as_ref().and_then(|record| record.text.as_ref());
        Self {
            message: text.map(|text| match text {
                Text::Literal(text) => Cow::Borrowed(*text),
                Text::Formatted(text) => Cow::Owned(text.as_ref().to_owned()),
            }),
            payload: None,
            record,
        }
    }

    /// Returns the payload, unless it is the message.
    pub(super) fn payload(&self) -> Option<&Payload> {
        self.payload.as_ref()
    }

    pub(super) fn record(&self) -> Option<&SharedRecord> {
        self.record.as_ref()
    }

    /// Returns the message of [`panic!`], or `None` for a panic with another payload
    /// ([`std::panic::panic_any`]).
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Returns the place at which the code has panicked.
    ///
    /// Returns `None` unless [`panics::record()`](crate::panics::record) was called, and if the
    /// panic is not recognized for certain: the [guide](crate::panics) says when.
    pub fn location(&self) -> Option<SourceLocation> {
        Some(self.record.as_ref()?.location)
    }

    /// Returns the name of the thread that has panicked, if it is known as [the
    /// location](Self::location) is, and if the thread has a name.
    pub fn thread(&self) -> Option<&str> {
        self.record.as_ref()?.thread.as_deref()
    }

    /// Returns the backtrace of the panic.
    ///
    /// Returns `None` if the [location](Self::location) is unknown, or if no backtrace was [asked
    /// for](crate::panics::Recording::backtraces).
    pub fn backtrace(&self) -> Option<&Backtrace> {
        self.record.as_ref()?.backtrace.as_ref()
    }

    /// Returns the name of the type of the payload, if it is known: `&str` for the text of a
    /// [`panic!`] without arguments, `alloc::string::String` for another text.
    ///
    /// A payload of a type that has a handler is an error of that type, and no `Panic`. The type of
    /// any other payload has no name that could be found out.
    pub fn payload_type(&self) -> Option<&'static str> {
        Some(match self.message.as_ref()? {
            Cow::Borrowed(_) => type_name::<&str>(),
            Cow::Owned(_) => type_name::<String>(),
        })
    }
}

/// Returns the message that a payload is.
fn message_of(payload: Box<dyn Any + Send>) -> Result<Cow<'static, str>, Box<dyn Any + Send>> {
    let payload = match payload.downcast::<&'static str>() {
        Ok(message) => return Ok(Cow::Borrowed(*message)),
        Err(payload) => payload,
    };
    Ok(Cow::Owned(*payload.downcast::<String>()?))
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic")
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(message) => write!(f, "panicked: {message}"),
            None => f.write_str("panicked"),
        }
    }
}

impl Error for Panic {}
