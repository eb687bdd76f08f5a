//! A failure from where it is caught to its handler.

mod captures;
mod chain;
mod client_fault;
pub(crate) mod failure;
pub(crate) mod known;
mod mechanism;
mod panic;
mod payload;
#[cfg(feature = "axum")]
mod rejection;
mod request_head;
mod request_uri;
pub(crate) mod returned;
pub(crate) mod reveal;
mod stand_in;
mod traces;
#[cfg(feature = "websocket")]
pub(crate) mod unshared;

use std::{
    error::Error,
    fmt::{self, Write},
    marker::PhantomData,
    ops::Deref,
    sync::{Arc, OnceLock},
};

pub use self::{
    mechanism::{Mechanism, Phase},
    panic::Panic,
    request_head::RequestHead,
    returned::IntoFailure,
};

pub(crate) use self::captures::Captures;

use self::failure::Failure;
use crate::{
    error::{boxed, find, is},
    exception::{Exception, HttpException},
    panic_record::SourceLocation,
    unwind::ignore_panic,
};

/// A failure that a handler or an observer receives: the error, its mechanism and phase, and the
/// head of the request.
///
/// It derefs to the error, so that a handler writes `error.name`. `clone()` is the error's:
/// `exception.clone().with_detail("...")` is a changed [`HttpException`](crate::HttpException).
///
/// `Caught` without a type stands for any failure. [`on_any`](crate::ExceptionLayer::on_any)
/// handlers and [observers](crate::ExceptionLayer::observe) receive one.
///
/// `Display` is the error's. `Debug` shows no source of the error, no query and no value of a
/// header: those may be secrets.
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
    handled: Subject,
    error: PhantomData<fn() -> Box<E>>,
}

#[derive(Clone)]
struct Shared {
    failure: Failure,
    request: RequestHead,
    /// The exception that stands for the failure, once a handler has asked for it.
    stand_in: OnceLock<HttpException>,
}

/// The error of a failure that a handler handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The error with this number of errors outside of it in the chain.
    Source(usize),
    /// The exception that stands for the failure.
    StandIn,
}

impl<E: Error + Send + Sync + 'static> Caught<E> {
    /// Creates the failure that a returned `error` is, for the unit test of a handler.
    ///
    /// Its mechanism is [`Returned`](Mechanism::Returned), its phase [`Future`](Phase::Future).
    ///
    /// ```
    /// use http::Request;
    /// use tower_exception::{Caught, HttpException, RequestHead};
    ///
    /// fn not_found(exception: Caught<HttpException>) -> HttpException {
    ///     HttpException::not_found(format!("there is no {}", exception.request().uri().path()))
    /// }
    ///
    /// let (parts, _) = Request::get("/items/2").body(()).unwrap().into_parts();
    /// let caught = Caught::new(HttpException::not_found("gone"), RequestHead::from(&parts));
    /// assert_eq!(not_found(caught).to_string(), "404: there is no /items/2");
    /// ```
    pub fn new(error: E, request: RequestHead) -> Self {
        let failure = Failure::from_boxed(boxed(error), Mechanism::Returned, Phase::Future);
        let caught = Caught::of_failure(failure, request);
        let depth = caught.failure().errors().position(is::<E>);
        caught.at(Subject::Source(depth.unwrap_or(0)))
    }
}

impl Caught {
    pub(crate) fn of_failure(failure: Failure, request: RequestHead) -> Self {
        let shared = Arc::new(Shared {
            failure,
            request,
            stand_in: OnceLock::new(),
        });
        Self {
            shared,
            handled: Subject::Source(0),
            error: PhantomData,
        }
    }

    /// Returns the failure as one of its errors.
    pub(crate) fn at<E: ?Sized>(&self, handled: Subject) -> Caught<E> {
        Caught {
            shared: Arc::clone(&self.shared),
            handled,
            error: PhantomData,
        }
    }

    pub(crate) fn failure_mut(&mut self) -> &mut Failure {
        &mut Arc::make_mut(&mut self.shared).failure
    }

    pub(crate) fn into_failure(self) -> Failure {
        match Arc::try_unwrap(self.shared) {
            Ok(Shared {
                failure, request, ..
            }) => {
                // Its extensions are user values.
                ignore_panic(|| drop(request));
                failure
            }
            Err(shared) => shared.failure.clone(),
        }
    }
}

impl<E: ?Sized> Caught<E> {
    pub(crate) fn failure(&self) -> &Failure {
        &self.shared.failure
    }

    /// Forgets the type of the error: the argument of an `on_any` handler or an observer.
    pub fn into_any(self) -> Caught {
        Caught {
            shared: self.shared,
            handled: Subject::Source(0),
            error: PhantomData,
        }
    }

    /// Returns how the failure arose.
    pub fn mechanism(&self) -> Mechanism {
        self.shared.failure.mechanism
    }

    /// Returns the phase of the request in which the failure was caught.
    pub fn phase(&self) -> Phase {
        self.shared.failure.phase
    }

    /// Returns the place in the code at which the failure arose, if it is known.
    ///
    /// For an exception that is the place at which it was made. For an error that came as an
    /// [`Error`](crate::Error), or was [raised](crate::Raise), that is the line of the `?` or the
    /// `raise`. For any other error that is the place of the exception among its sources, if there
    /// is one. The place of a panic is known after [`panics::record()`](crate::panics::record).
    pub fn location(&self) -> Option<SourceLocation> {
        self.shared.failure.location()
    }

    /// Returns the id that the client receives with the response, if the layer
    /// [identifies](crate::ExceptionLayer::identify) failures.
    pub fn id(&self) -> Option<&str> {
        self.shared.failure.id.as_deref()
    }

    /// Returns the head of the request.
    pub fn request(&self) -> &RequestHead {
        &self.shared.request
    }

    /// Returns the outermost error: the failure as a whole, which may have the handled error as a
    /// source.
    pub fn outermost(&self) -> &(dyn Error + Send + Sync + 'static) {
        self.shared.failure.as_error()
    }
}

impl<E: ?Sized> Caught<E> {
    /// Returns the handled error.
    fn handled(&self) -> Option<&(dyn Error + 'static)> {
        let Shared {
            failure, stand_in, ..
        } = &*self.shared;
        match self.handled {
            Subject::Source(depth) => failure.error_at(depth),
            Subject::StandIn => Some(stand_in.get_or_init(|| failure.stand_in())),
        }
    }
}

impl<E: Error + Send + Sync + 'static> Caught<E> {
    /// Returns the error, as dereferencing does.
    ///
    /// # Panics
    ///
    /// If the error's chain of sources has changed since the failure was caught.
    pub fn error(&self) -> &E {
        match self.handled().and_then(find) {
            Some(error) => error,
            None => panic!("an error's chain of sources changed while it was handled"),
        }
    }
}

impl<E: Error + Send + Sync + 'static> Deref for Caught<E> {
    type Target = E;

    fn deref(&self) -> &E {
        self.error()
    }
}

impl Deref for Caught {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        self.outermost()
    }
}

impl<E: ?Sized> fmt::Debug for Caught<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.handled().unwrap_or(self.failure().as_error());
        f.debug_struct("Caught")
            .field("error", &DebugError(error))
            .field("mechanism", &self.mechanism())
            .field("phase", &self.phase())
            .field("request", self.request())
            .finish()
    }
}

/// Shows the crate's own errors by their `Debug`, and any other by its text. The `Debug` of an
/// error shows its sources, as a rule.
struct DebugError<'a>(&'a (dyn Error + 'static));

impl fmt::Debug for DebugError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            own if Exception::is(own) || own.is::<Panic>() => fmt::Debug::fmt(own, f),
            other => {
                let mut text = String::new();
                write!(text, "{other}")?;
                fmt::Debug::fmt(&text, f)
            }
        }
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
