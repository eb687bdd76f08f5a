//! What the layer caught, before it is answered.

use std::{any::Any, error::Error, fmt, panic::Location, sync::Arc};

use http::StatusCode;

use crate::{
    BoxError, Exception, How, HttpException, Panic, Place, WebSocketException,
    chain::chain,
    interrupt::{catch_or, exception_in, quietly},
};

/// Anything that keeps a service from answering, and how and where it was caught.
///
/// `Clone`, because a service that failed in `poll_ready` gives every later call the same answer.
#[derive(Clone)]
pub struct Thrown {
    pub(crate) what: What,
    pub(crate) how: How,
    pub(crate) place: Place,
}

#[derive(Clone)]
pub enum What {
    Exception(Exception),
    /// An error, and the first exception in its chain of sources.
    Error(Arc<dyn Error + Send + Sync>, Option<Exception>),
    Panic(Panic),
}

impl Thrown {
    pub(crate) fn exception(exception: impl Into<Exception>, how: How, place: Place) -> Self {
        let what = What::Exception(exception.into());
        Self { what, how, place }
    }

    #[cold]
    pub(crate) fn from_error(error: impl Into<BoxError>, place: Place) -> Self {
        let error = match error.into().downcast::<HttpException>() {
            Ok(exception) => return Self::exception(*exception, How::Returned, place),
            Err(error) => error,
        };
        let error = match error.downcast::<WebSocketException>() {
            Ok(exception) => return Self::exception(*exception, How::Returned, place),
            Err(error) => error,
        };
        let error = match error.downcast::<Exception>() {
            Ok(exception) => return Self::exception(*exception, How::Returned, place),
            Err(error) => error,
        };
        #[cfg(feature = "tokio")]
        let error = match crate::integrations::tokio::panic_of_task(error) {
            Ok(payload) => return Self::from_payload(payload, place),
            Err(error) => error,
        };
        // An error's `source` is other people's code.
        let exception = catch_or(None, || chain(&*error).find_map(Exception::of));
        Self {
            what: What::Error(Arc::from(error), exception),
            how: How::Returned,
            place,
        }
    }

    #[cold]
    pub(crate) fn from_payload(payload: Box<dyn Any + Send>, place: Place) -> Self {
        match exception_in(payload) {
            Ok((exception, how)) => Self::exception(exception, how, place),
            Err(payload) => Self {
                what: What::Panic(Panic::from_payload(payload)),
                how: How::Panicked,
                place,
            },
        }
    }

    /// A panic of which nothing is known but that it unwinds.
    #[cfg(feature = "websocket")]
    pub(crate) fn unknown_panic(place: Place) -> Self {
        Self {
            what: What::Panic(Panic::unknown()),
            how: How::Panicked,
            place,
        }
    }

    /// The whole of it, as an error.
    pub(crate) fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        match &self.what {
            What::Exception(exception) => exception.as_error(),
            What::Error(error, _) => &**error,
            What::Panic(panic) => panic,
        }
    }

    /// The exception that this is, or that is in the error's chain of sources.
    pub(crate) fn as_exception(&self) -> Option<&Exception> {
        match &self.what {
            What::Exception(exception) => Some(exception),
            What::Error(_, exception) => exception.as_ref(),
            What::Panic(_) => None,
        }
    }

    /// All that may be handled: the error and its sources, the outermost first, up to the first exception,
    /// once as [`Exception`] and once as what it is. The source of that one is kept for the log: the
    /// exception was made to be answered in its place.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        let outer: Option<&(dyn Error + 'static)> = match &self.what {
            What::Exception(_) => None,
            What::Error(error, _) => Some(&**error),
            What::Panic(panic) => Some(panic),
        };
        let outer = outer.into_iter().flat_map(chain);
        let exception = self.as_exception().into_iter().flat_map(|exception| {
            let either: &(dyn Error + 'static) = exception;
            let it: &(dyn Error + 'static) = exception.as_error();
            [either, it]
        });
        outer
            .take_while(|error| !Exception::is(*error))
            .chain(exception)
    }

    /// Where in the code the exception was made that this is, or that is in the error's chain of sources.
    pub(crate) fn location(&self) -> Option<&'static Location<'static>> {
        match self.how {
            // Made by the layer.
            How::Adopted => None,
            _ => self.as_exception().map(Exception::location),
        }
    }

    /// The status that this is answered with where no handler answers it.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(crate) fn status(&self) -> StatusCode {
        #[cfg(any(feature = "tonic", feature = "tower"))]
        if let Some(exception) = self.errors().find_map(crate::integrations::known) {
            return exception.status();
        }
        match self.as_exception() {
            Some(Exception::Http(it)) if !it.status().is_informational() => it.status(),
            Some(Exception::WebSocket(_)) => StatusCode::FORBIDDEN,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The exception that answers this where no handler does: itself, one in the error's chain of sources, or
    /// one that stands for an error that the layer knows.
    pub(crate) fn into_exception(self) -> Option<Exception> {
        #[cfg(any(feature = "tonic", feature = "tower"))]
        if let Some(exception) = self.errors().find_map(crate::integrations::known) {
            return Some(Exception::Http(exception));
        }
        match self.what {
            What::Exception(exception) => Some(exception),
            What::Error(error, exception) => {
                quietly(|| drop(error));
                exception
            }
            What::Panic(_) => None,
        }
    }
}

impl From<Thrown> for BoxError {
    fn from(thrown: Thrown) -> Self {
        match thrown.what {
            What::Exception(Exception::Http(exception)) => exception.into(),
            What::Exception(Exception::WebSocket(exception)) => exception.into(),
            What::Panic(panic) => panic.into(),
            What::Error(error, _) => Box::new(SharedError(error)),
        }
    }
}

/// An error that others hold too. Its source is that error itself, to be found by whoever looks for it.
#[derive(Debug)]
struct SharedError(Arc<dyn Error + Send + Sync>);

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for SharedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
