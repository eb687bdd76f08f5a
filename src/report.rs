//! Reporting a failure after the decision: its outcome, the observers, the `tracing` event.
//!
//! An event shows the `Display` of user code, which may panic. Such a panic must not cost the
//! response.
#![cfg_attr(not(feature = "tracing"), allow(unused_variables, dead_code))]

use std::{fmt, sync::Arc};

use http::{Response, StatusCode};

#[cfg(feature = "tracing")]
use crate::caught::{Mechanism, Phase, failure::FailureKind};
use crate::{
    caught::{Caught, RequestHead, failure::Failure},
    error::sources,
    exception::{CloseCode, Exception},
    grpc::{self, GrpcCode},
    unwind::ignore_panic,
};

/// Outcome of a failure: the response, the status or the close frame that the client received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// A response with this status.
    Status(StatusCode),
    /// A gRPC status with this code. Its HTTP status is always 200.
    ///
    /// It is in the head of the response, or after the messages if the head was sent already
    /// ([`Phase::Body`](crate::Phase::Body)).
    Grpc(GrpcCode),
    /// A WebSocket's close frame with this code.
    Close(CloseCode),
    /// Nothing. The head of the response was sent already, and its body ended with an error; or no
    /// close frame could be sent on the WebSocket any more.
    Aborted,
}

impl Outcome {
    /// Returns the outcome of a failure to which `response` is sent.
    pub(crate) fn of<B>(response: &Response<B>) -> Self {
        match grpc::code_of(response.headers()) {
            Some(code) => Self::Grpc(code),
            None => Self::Status(response.status()),
        }
    }
}

/// The user's observers.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Arc<Observer>>);

type Observer = dyn Fn(&Caught, Outcome) + Send + Sync;

impl Observers {
    pub(crate) fn add(&mut self, observer: impl Fn(&Caught, Outcome) + Send + Sync + 'static) {
        self.0.push(Arc::new(observer));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Calls every observer, even if one panics.
    pub(crate) fn call(&self, caught: &Caught, outcome: Outcome) {
        for observer in &self.0 {
            ignore_panic(|| observer(caught, outcome));
        }
    }
}

/// Emits the event for a failure. `outcome` is computed only if there are events.
#[inline]
pub(crate) fn emit(
    failure: &Failure,
    request: Option<&RequestHead>,
    outcome: impl FnOnce() -> Outcome,
) {
    #[cfg(feature = "tracing")]
    emit_event(failure, request, outcome());
}

#[cfg(feature = "tracing")]
#[cold]
fn emit_event(failure: &Failure, request: Option<&RequestHead>, outcome: Outcome) {
    ignore_panic(|| {
        let (status, grpc_status, close_code) = match outcome {
            Outcome::Status(status) => (Some(status.as_u16()), None, None),
            Outcome::Grpc(code) => (None, Some(tracing::field::display(code)), None),
            Outcome::Close(code) => (None, None, Some(code.as_u16())),
            Outcome::Aborted => (None, None, None),
        };
        let kind = match &failure.kind {
            FailureKind::Exception(Exception::WebSocket(_)) => "websocket exception",
            FailureKind::Exception(_) => "http exception",
            FailureKind::Error(..) => "error",
            FailureKind::Panic(_) => "panic",
        };
        let error = WithSources(failure);
        let location = failure.location().map(tracing::field::display);
        let method = request.map(|request| request.method().as_str());
        let path = request.map(|request| request.uri().path());
        let (mechanism, phase) = (failure.mechanism, failure.phase);
        let message = match outcome {
            Outcome::Status(_) | Outcome::Grpc(_) => "responded to a failure",
            Outcome::Close(_) => "closed a WebSocket",
            Outcome::Aborted if phase == Phase::WebSocket => {
                "no close frame could be sent on a WebSocket"
            }
            Outcome::Aborted => "cut a response body short",
        };
        /// Emits the one event, whatever its level.
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(
                    status,
                    grpc_status,
                    close_code,
                    kind,
                    ?mechanism,
                    ?phase,
                    method,
                    path,
                    %error,
                    location,
                    "{message}"
                )
            };
        }
        if mechanism == Mechanism::Panicked || is_server_fault(outcome, phase) {
            event!(error);
        } else {
            event!(debug);
        }
    });
}

/// Returns whether the server has to look into an outcome: a 5xx over HTTP, and its likes
/// elsewhere.
#[cfg(feature = "tracing")]
fn is_server_fault(outcome: Outcome, phase: Phase) -> bool {
    match outcome {
        Outcome::Status(status) => status.is_server_error(),
        Outcome::Grpc(code) => code.http_status().is_server_error(),
        Outcome::Close(code) => code == CloseCode::INTERNAL_ERROR,
        // A failure after the WebSocket has closed is expected.
        Outcome::Aborted => phase != Phase::WebSocket,
    }
}

/// A failure with all of its sources: for the log, never for the client.
struct WithSources<'a>(&'a Failure);

impl fmt::Display for WithSources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let origin = self.0.as_exception().and_then(Exception::origin);
        // An `Exception` has the text of the exception that it holds, which is the next error.
        let errors = self.0.errors().filter(|error| !error.is::<Exception>());
        for error in errors.chain(origin.into_iter().flat_map(|origin| sources(origin))) {
            write!(f, "{separator}{error}")?;
            separator = ": ";
        }
        Ok(())
    }
}
