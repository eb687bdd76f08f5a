//! Reporting a failure after the decision: its outcome, the observers, the `tracing` event.
//!
//! An event shows the `Display` of user code, which may panic. Such a panic must not cost the
//! response.
#![cfg_attr(not(feature = "tracing"), allow(unused_variables, dead_code))]

use std::{
    error::Error,
    fmt::{self, Write},
    sync::Arc,
};

use http::{Response, StatusCode};

use crate::{
    caught::{Caught, RequestHead, failure::Failure},
    exception::CloseCode,
    grpc::{self, GrpcCode},
    unwind::ignore_panic,
};
#[cfg(feature = "tracing")]
use crate::{
    caught::{Mechanism, Phase, failure::FailureKind},
    escape::{Escaped, escape},
    exception::Exception,
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

/// Returns whether there may be events. If not, a layer without observers has nobody to report to.
#[cfg(feature = "tracing")]
pub(crate) fn has_events() -> bool {
    tracing::level_filters::LevelFilter::current() != tracing::level_filters::LevelFilter::OFF
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn has_events() -> bool {
    false
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
        let error = Escaped(WithSources(failure));
        let error_type = failure.type_name();
        let error_id = failure.id.as_deref();
        let location = failure.location().map(tracing::field::display);
        let method = request.map(|request| request.method().as_str());
        let path = request.map(|request| escape(request.whole_path()));
        let path = path.as_deref();
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
                    error_type,
                    location,
                    error_id,
                    "{message}"
                )
            };
        }
        let is_server_fault = mechanism == Mechanism::Panicked || is_server_fault(outcome, phase);
        let is_harmless =
            failure.client_fault().is_some() || is_abandoned_refusal(failure, outcome);
        if is_server_fault && !is_harmless {
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

/// Returns whether a failure was caught before the head of the response was sent, and would not
/// have been a fault of the server. The client has left.
#[cfg(feature = "tracing")]
fn is_abandoned_refusal(failure: &Failure, outcome: Outcome) -> bool {
    let is_before_head = failure.phase != Phase::Body || failure.mechanism == Mechanism::Adopted;
    match failure.as_exception() {
        Some(Exception::Http(exception)) => {
            outcome == Outcome::Aborted && is_before_head && !exception.status().is_server_error()
        }
        _ => false,
    }
}

/// A failure with all of its sources: for the log, never for the client.
struct WithSources<'a>(&'a Failure);

impl fmt::Display for WithSources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(self.0.whole_chain()))
    }
}

/// Returns the texts of a chain of errors, the outermost error first. A text that the one before it
/// ends or begins with is not repeated.
fn joined<'a>(errors: impl Iterator<Item = &'a (dyn Error + 'static)>) -> String {
    let mut all = String::new();
    let mut last = String::new();
    for error in errors {
        let mut text = String::new();
        // `Display` is user code. If it fails or panics, the others still have a text.
        ignore_panic(|| _ = write!(text, "{error}"));
        if ends_with_text(&all, &text) {
            continue;
        }
        match text.strip_prefix(&last) {
            Some(rest) if rest.starts_with(": ") && all.ends_with(&last) => all.push_str(rest),
            _ => {
                if !all.is_empty() {
                    all.push_str(": ");
                }
                all.push_str(&text);
            }
        }
        last = text;
    }
    all
}

/// Returns whether `all` ends with `text`, which does not begin inside of a word there.
fn ends_with_text(all: &str, text: &str) -> bool {
    match all.strip_suffix(text) {
        Some(before) => text.is_empty() || !before.ends_with(char::is_alphanumeric),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::sources;

    /// An error of these texts: its own, that of its source, and so on.
    #[derive(Debug)]
    struct Texts(&'static str, Option<Box<Texts>>);

    impl Texts {
        fn of(texts: &[&'static str]) -> Option<Box<Self>> {
            let (text, rest) = texts.split_first()?;
            Some(Box::new(Self(text, Self::of(rest))))
        }
    }

    impl fmt::Display for Texts {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {
                "panics" => panic!("no text"),
                "fails" => {
                    f.write_str("half")?;
                    Err(fmt::Error)
                }
                text => f.write_str(text),
            }
        }
    }

    impl Error for Texts {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            match &self.1 {
                Some(source) => Some(&**source),
                None => None,
            }
        }
    }

    #[test]
    fn no_text_is_repeated() {
        for (texts, expected) in [
            (&["disk gone", "disk gone", "disk gone"][..], "disk gone"),
            (
                &["save: disk gone", "disk gone", "no 5"],
                "save: disk gone: no 5",
            ),
            (&["a: b: c", "b: c", "c"], "a: b: c"),
            (&["a (b)", "b"], "a (b): b"),
            (&["disk gone", "disk gone: no 5", "no 5"], "disk gone: no 5"),
            (
                &["save", "disk gone", "disk gone: no 5"],
                "save: disk gone: no 5",
            ),
            (&["rotten", "ten"], "rotten: ten"),
            (&["a", "", "b"], "a: b"),
            (&["", "b"], "b"),
            (&["a", "b", "a"], "a: b: a"),
            (&["a", "panics", "fails", "b"], "a: half: b"),
        ] {
            let error = Texts::of(texts).unwrap();
            assert_eq!(joined(sources(&*error)), expected, "{texts:?}");
        }
    }
}
