use std::{error::Error, fmt, marker::PhantomData, ops::Deref, panic::Location, sync::Arc};

use crate::{RequestHead, thrown::Thrown};

/// What a handler is given: an error of the type that it handles, how and where it was caught, and the
/// head of its request.
///
/// It derefs to the error, and `clone()` is the error's: `exception.clone().with_detail("...")` is a changed
/// [`HttpException`](crate::HttpException). `Caught` alone, with no type named, stands for any error, which
/// [`on_any`](crate::ExceptionLayer::on_any) handlers and observers are given.
///
/// ```
/// use tower_exception::{Caught, ExceptionLayer, HttpException};
///
/// let layer = ExceptionLayer::new().on(|error: Caught<std::io::Error>| {
///     HttpException::bad_gateway(format!("{}: {:?}", error.request().uri(), error.kind()))
/// });
/// ```
pub struct Caught<E: ?Sized = dyn Error + Send + Sync> {
    shared: Arc<Shared>,
    /// How many errors of the chain are outside of this one.
    depth: usize,
    error: PhantomData<fn() -> Box<E>>,
}

struct Shared {
    thrown: Thrown,
    request: RequestHead,
}

/// How something came to be caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum How {
    /// A service, or a body, gave it as its error.
    Returned,
    /// A response carried it.
    Attached,
    /// It unwound: [`HttpException::raise`](crate::HttpException::raise), or
    /// [`panic_any`](std::panic::panic_any) of an exception.
    Raised,
    /// [`HttpException::raise_async`](crate::HttpException::raise_async).
    RaisedAsync,
    /// A panic that held no exception.
    Panicked,
    /// It was a plain error response:
    /// [`adopt_error_responses`](crate::ExceptionLayer::adopt_error_responses).
    Adopted,
}

/// Where something was caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// In `poll_ready`.
    Readiness,
    /// In `call`.
    Call,
    /// In the future that `call` gave.
    Future,
    /// In the response's body.
    Body,
    /// After the handshake of a WebSocket, in the task that has the connection.
    Upgraded,
    /// In a handler or a renderer, while something else was answered.
    Answer,
}

impl Caught {
    pub(crate) fn new(thrown: Thrown, request: RequestHead) -> Self {
        let shared = Arc::new(Shared { thrown, request });
        Self {
            shared,
            depth: 0,
            error: PhantomData,
        }
    }

    /// The same, as the error `depth` sources down.
    pub(crate) fn at<E: ?Sized>(&self, depth: usize) -> Caught<E> {
        Caught {
            shared: Arc::clone(&self.shared),
            depth,
            error: PhantomData,
        }
    }
}

impl<E: ?Sized> Caught<E> {
    pub(crate) fn thrown(&self) -> &Thrown {
        &self.shared.thrown
    }

    /// How it was caught.
    pub fn how(&self) -> How {
        self.shared.thrown.how
    }

    /// Where it was caught.
    pub fn place(&self) -> Place {
        self.shared.thrown.place
    }

    /// Where in the code it was made, if it is an exception, or an error with one in its chain of sources.
    /// Other errors do not know, nor do panics: their location is in the panic hook's output.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.shared.thrown.location()
    }

    /// The head of the request.
    pub fn request(&self) -> &RequestHead {
        &self.shared.request
    }

    /// The outermost error: what was caught as a whole, of which the handled one may be a source.
    pub fn outermost(&self) -> &(dyn Error + Send + Sync + 'static) {
        self.shared.thrown.as_error()
    }
}

impl<E: Error + 'static> Deref for Caught<E> {
    type Target = E;

    fn deref(&self) -> &E {
        match self
            .thrown()
            .errors()
            .nth(self.depth)
            .and_then(<dyn Error>::downcast_ref)
        {
            Some(error) => error,
            // Only an error whose `source` is now this and now that comes here.
            None => panic!("an error's chain of sources changed while it was handled"),
        }
    }
}

impl Deref for Caught {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        self.outermost()
    }
}

impl<E: ?Sized> fmt::Debug for Caught<E>
where
    Self: Deref<Target: fmt::Debug>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caught")
            .field("error", &&**self)
            .field("how", &self.how())
            .field("place", &self.place())
            .field("request", self.request())
            .finish()
    }
}

impl<E: ?Sized> fmt::Display for Caught<E>
where
    Self: Deref<Target: fmt::Display>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
