//! The type of a failure, in the words of OpenTelemetry: `exception.type` and `error.type`.

use std::{any::type_name, borrow::Cow, error::Error, fmt};

use super::Outcome;
use crate::{
    caught::failure::{Failure, FailureKind},
    error::is,
    exception::Exception,
    unwind::catch_or,
};

/// The types of errors that a layer knows, because its user has named them: those with a handler,
/// and those that it opens.
///
/// A boxed error does not say its type, so it is compared with each of them.
#[derive(Clone, Default)]
pub(crate) struct ErrorTypes(Vec<ErrorType>);

#[derive(Clone, Copy)]
struct ErrorType {
    is: fn(&(dyn Error + 'static)) -> bool,
    name: &'static str,
}

impl ErrorTypes {
    pub(crate) fn add<E: Error + Send + Sync + 'static>(&mut self) {
        self.0.push(ErrorType {
            is: is::<E>,
            name: type_name::<E>(),
        });
    }

    /// Returns the name of the type of `error`.
    fn name_of(&self, error: &(dyn Error + 'static)) -> Option<&'static str> {
        let known = self.0.iter().find(|known| (known.is)(error))?;
        Some(known.name)
    }
}

/// Class of a failure: the value of `error.type`. There are only as many as the application has
/// types, statuses and codes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ErrorClass<'a> {
    /// The name of a type, the code of gRPC, or a word of this crate.
    Name(&'static str),
    /// The code of an exception.
    Code(&'a Cow<'static, str>),
    /// A status of HTTP or the code of a close frame.
    Number(u16),
}

impl fmt::Display for ErrorClass<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Code(code) => f.write_str(code),
            Self::Number(number) => fmt::Display::fmt(number, f),
        }
    }
}

impl<'a> ErrorClass<'a> {
    /// Returns the class of `failure`: the type of an error, otherwise the code of an exception,
    /// otherwise the status that it stands for.
    ///
    /// An error whose type is unknown, or only wraps another one, is of the first class that is
    /// found in its chain of sources.
    pub(crate) fn of(failure: &'a Failure, outcome: Outcome, types: Option<&ErrorTypes>) -> Self {
        if let FailureKind::Panic(_) = failure.kind {
            return Self::Name("panic");
        }
        if !failure.is_error() {
            return Self::of_exception(failure).unwrap_or(Self::OTHER);
        }
        let name = failure.type_name().map(unwrapped);
        if let Some(name) = name.filter(|name| !is_wrapper(name)) {
            return Self::Name(name);
        }
        // An error's `source` is user code.
        let user_type = types.and_then(|types| {
            let errors = || failure.errors().filter(|error| !Exception::is(*error));
            catch_or(None, || errors().find_map(|error| types.name_of(error)))
        });
        user_type
            .map(Self::Name)
            .or_else(|| Self::of_exception(failure))
            .or_else(|| Self::of_known(failure, outcome))
            .or(name.map(Self::Name))
            .unwrap_or(Self::OTHER)
    }

    /// Returns the class with a bounded number of values: a code that was made at run time may hold
    /// anything, so the status stands for it.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(super) fn bounded(&self, failure: &Failure) -> Self {
        match (self, failure.as_exception()) {
            (Self::Code(Cow::Owned(_)), Some(Exception::Http(exception))) => {
                Self::Number(exception.status().as_u16())
            }
            _ => self.clone(),
        }
    }

    /// OpenTelemetry's value for a class of which nothing is known.
    const OTHER: Self = Self::Name("_OTHER");

    fn of_exception(failure: &'a Failure) -> Option<Self> {
        Some(match failure.as_exception()? {
            Exception::Http(exception) => match exception.code_text() {
                Some(code) => Self::Code(code),
                None => Self::Number(exception.status().as_u16()),
            },
            Exception::WebSocket(exception) => Self::Number(exception.code().as_u16()),
        })
    }

    /// Returns the status that stands for an error of another crate.
    fn of_known(failure: &Failure, outcome: Outcome) -> Option<Self> {
        let exception = catch_or(None, || failure.known_exception())?;
        Some(match outcome {
            Outcome::Grpc(code) => Self::Name(code.name()),
            _ => Self::Number(exception.status().as_u16()),
        })
    }
}

/// Returns the name of the kind of a failure.
pub(super) fn kind_name(failure: &Failure) -> &'static str {
    match &failure.kind {
        FailureKind::Exception(Exception::Http(_)) => "http_exception",
        FailureKind::Exception(Exception::WebSocket(_)) => "websocket_exception",
        FailureKind::Error(..) => "error",
        FailureKind::Panic(_) => "panic",
    }
}

/// Returns the name of the type of the failure as a whole, if it is known.
pub(super) fn exception_type(
    failure: &Failure,
    types: Option<&ErrorTypes>,
) -> Option<&'static str> {
    match &failure.kind {
        FailureKind::Exception(Exception::Http(_)) => Some("tower_exception::HttpException"),
        FailureKind::Exception(Exception::WebSocket(_)) => {
            Some("tower_exception::WebSocketException")
        }
        FailureKind::Panic(_) => Some("tower_exception::Panic"),
        FailureKind::Error(..) => failure
            .type_name()
            .or_else(|| types?.name_of(failure.as_error())),
    }
}

/// Returns the type inside of a `Box` or an `Arc`, by its name.
fn unwrapped(mut name: &'static str) -> &'static str {
    for wrapper in ["alloc::boxed::Box<", "alloc::sync::Arc<"]
        .iter()
        .cycle()
        .take(4)
    {
        let inner = name.strip_prefix(wrapper);
        name = inner
            .and_then(|inner| inner.strip_suffix('>'))
            .unwrap_or(name);
    }
    name
}

/// Returns whether a type stands for errors of any type.
fn is_wrapper(name: &str) -> bool {
    name.starts_with("dyn ") || ["anyhow::Error", "eyre::Report"].contains(&name)
}
