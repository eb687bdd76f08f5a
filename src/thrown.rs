//! What the layer caught, before it is answered.

use std::{any::Any, error::Error, sync::Arc};

use crate::{
    BoxError, Exception, HttpException, Panic, WebSocketException, chain::chain,
    interrupt::Interrupt,
};

/// Anything that keeps a service from answering.
///
/// `Clone`, because a service that failed in `poll_ready` gives every later call the same answer.
#[derive(Clone)]
pub(crate) enum Thrown {
    Exception(Exception),
    Error(Arc<dyn Error + Send + Sync>),
    Panic(Panic),
}

impl Thrown {
    #[cold]
    pub(crate) fn from_error(error: impl Into<BoxError>) -> Self {
        let error = match error.into().downcast::<HttpException>() {
            Ok(exception) => return Self::Exception(Exception::Http(*exception)),
            Err(error) => error,
        };
        let error = match error.downcast::<WebSocketException>() {
            Ok(exception) => return Self::Exception(Exception::WebSocket(*exception)),
            Err(error) => error,
        };
        #[cfg(feature = "tokio")]
        let error = match crate::integrations::tokio::panic_of_task(error) {
            Ok(payload) => return Self::from_payload(payload),
            Err(error) => error,
        };
        Self::Error(Arc::from(error))
    }

    #[cold]
    pub(crate) fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        match Interrupt::from_payload(payload) {
            Interrupt::Exception(exception) => Self::Exception(exception),
            Interrupt::Panic(panic) => Self::Panic(panic),
        }
    }

    /// The exception that this is, or that an error has in its chain of sources.
    pub(crate) fn into_exception(self) -> Option<Exception> {
        match self {
            Self::Exception(exception) => Some(exception),
            Self::Error(error) => chain(&*error).find_map(Exception::downcast_ref),
            Self::Panic(_) => None,
        }
    }

    /// As an error, for the log.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(crate) fn as_error(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Exception(exception) => exception,
            Self::Error(error) => &**error,
            Self::Panic(panic) => panic,
        }
    }
}
