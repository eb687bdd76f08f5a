//! A panic, as handlers and observers see it.

use std::{any::Any, borrow::Cow, error::Error, fmt};

use super::payload::Payload;

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
        }
    }

    pub(crate) fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        let payload = match payload.downcast::<&'static str>() {
            Ok(message) => return Self::new(*message),
            Err(payload) => payload,
        };
        match payload.downcast::<String>() {
            Ok(message) => Self::new(*message),
            Err(payload) => Self {
                message: None,
                payload: Some(Payload::new(payload)),
            },
        }
    }

    /// A panic of which nothing is known.
    #[cfg(feature = "websocket")]
    pub(crate) fn unknown() -> Self {
        Self {
            message: None,
            payload: None,
        }
    }

    /// Returns the payload, unless it is the message.
    pub(super) fn payload(&self) -> Option<&Payload> {
        self.payload.as_ref()
    }

    /// Returns the message of [`panic!`], or `None` for a panic with another payload
    /// ([`std::panic::panic_any`]).
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
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
