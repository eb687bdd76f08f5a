//! A panic, as handlers and observers see it.

use std::{any::Any, borrow::Cow, error::Error, fmt};

use crate::unwind::ignore_panic;

/// A panic: an unwinding whose payload is no exception.
///
/// ```
/// use tower_exception::{Caught, ExceptionLayer, HttpException, Panic};
///
/// let layer = ExceptionLayer::new().on_panic(|panic: Caught<Panic>| {
///     eprintln!("{}: {:?}", panic.request().uri(), panic.message());
///     HttpException::internal_server_error("we are looking into it")
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Panic {
    message: Option<Cow<'static, str>>,
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
        }
    }

    pub(crate) fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        let payload = match payload.downcast::<&'static str>() {
            Ok(message) => return Self::new(*message),
            Err(payload) => payload,
        };
        match payload.downcast::<String>() {
            Ok(message) => Self::new(*message),
            Err(payload) => {
                ignore_panic(|| drop(payload));
                Self::unknown()
            }
        }
    }

    /// A panic without a message.
    pub(crate) fn unknown() -> Self {
        Self { message: None }
    }

    /// Returns the message of [`panic!`], or `None` for a panic with another payload
    /// ([`std::panic::panic_any`]).
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
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
