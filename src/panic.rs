use std::{any::Any, borrow::Cow, error::Error, fmt};

use crate::interrupt::quietly;

/// A panic that was caught: an unwinding that carried no exception.
#[derive(Clone, Debug)]
pub struct Panic {
    message: Option<Cow<'static, str>>,
}

impl Panic {
    pub(crate) fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        let message = match payload.downcast::<&'static str>() {
            Ok(message) => Some(Cow::Borrowed(*message)),
            Err(payload) => match payload.downcast::<String>() {
                Ok(message) => Some(Cow::Owned(*message)),
                Err(payload) => {
                    quietly(|| drop(payload));
                    None
                }
            },
        };
        Self { message }
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn unknown() -> Self {
        Self { message: None }
    }

    /// What was given to `panic!`; `None` for a panic with another payload
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
