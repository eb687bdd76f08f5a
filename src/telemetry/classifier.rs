//! A classifier of responses for tower-http's `TraceLayer`.

use std::fmt;

use http::{HeaderMap, Request, Response};
use tower_http::classify::{ClassifiedResponse, ClassifyEos, ClassifyResponse, MakeClassifier};

use crate::{
    escape::Escaped,
    grpc,
    report::{FailureNote, Outcome, read_notes},
};

/// Classifier for tower-http's `TraceLayer`, which then logs the class of each failure.
///
/// The default classifier of `TraceLayer` sees the status only: `Status code: 500 Internal Server
/// Error`. This one logs `shop::DatabaseError (500 Internal Server Error)`. The class is
/// [`error.type`](crate::telemetry#the-event).
///
/// A response counts as failed if the event of this crate would be an `ERROR`: a 5xx, a gRPC code
/// that corresponds to one, a panic, a body that was cut short. A gRPC stream is classified by its
/// trailers. Responses that carry no failure are classified in the same way, without a type.
///
/// Put the `TraceLayer` outside of the [`ExceptionLayer`](crate::ExceptionLayer). As soon as one
/// classifier exists, each failure of the process leaves its class in the extensions of its
/// response. Without one a failure pays one load of an atomic for it.
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::Router;
/// use tower_exception::{ExceptionLayer, telemetry::FailureClassifier};
/// use tower_http::trace::TraceLayer;
///
/// let app: Router = Router::new()
///     .layer(ExceptionLayer::new())
///     .layer(TraceLayer::new(FailureClassifier::new()));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FailureClassifier(());

/// Classifier of the end of a body.
#[derive(Clone, Copy, Debug)]
pub struct FailureAtEnd(());

/// Class of a failed response.
///
/// `Display` is `shop::DatabaseError (500 Internal Server Error)`. If a body ended in an error, it
/// is the text of that error, and `(the response was cut short)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureClass {
    error_type: Option<Box<str>>,
    /// The text of an error, which ended a body.
    text: Option<Box<str>>,
    outcome: Outcome,
}

impl FailureClassifier {
    /// Creates a classifier. From now on each failure leaves its class in its response.
    #[allow(
        clippy::new_without_default,
        reason = "a default value would have an effect on the process"
    )]
    pub fn new() -> Self {
        read_notes();
        Self(())
    }
}

impl FailureClass {
    /// Returns the class of the failure, as in the field `error.type` of the event.
    ///
    /// Returns `None` if the response carries no failure of a layer, and for the end of a body.
    pub fn error_type(&self) -> Option<&str> {
        self.error_type.as_deref()
    }

    /// Returns the outcome.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Returns the class of an error that a service or a body has returned.
    fn of_error(error: &impl fmt::Display) -> Self {
        Self {
            error_type: None,
            text: Some(Escaped(error).to_string().into()),
            outcome: Outcome::Aborted,
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome: &dyn fmt::Display = match &self.outcome {
            Outcome::Status(status) => status,
            Outcome::Grpc(code) => code,
            Outcome::Close(code) => code,
            Outcome::Aborted => &"the response was cut short",
        };
        match self.error_type.as_ref().or(self.text.as_ref()) {
            Some(failure) => write!(f, "{failure} ({outcome})"),
            None => fmt::Display::fmt(outcome, f),
        }
    }
}

impl MakeClassifier for FailureClassifier {
    type Classifier = Self;
    type FailureClass = FailureClass;
    type ClassifyEos = FailureAtEnd;

    fn make_classifier<B>(&self, _: &Request<B>) -> Self {
        *self
    }
}

impl ClassifyResponse for FailureClassifier {
    type FailureClass = FailureClass;
    type ClassifyEos = FailureAtEnd;

    fn classify_response<B>(
        self,
        response: &Response<B>,
    ) -> ClassifiedResponse<FailureClass, FailureAtEnd> {
        let outcome = Outcome::of(response);
        // A middleware may have replaced the response and left the note.
        let note = response.extensions().get::<FailureNote>();
        let note = note.filter(|note| note.outcome == outcome);
        let is_failed = match note {
            Some(note) => note.is_server_fault,
            None => is_error(outcome),
        };
        match is_failed {
            true => ClassifiedResponse::Ready(Err(FailureClass {
                error_type: note.map(|note| note.error_type.clone()),
                text: None,
                outcome,
            })),
            false => ClassifiedResponse::RequiresEos(FailureAtEnd(())),
        }
    }

    fn classify_error<E: fmt::Display + 'static>(self, error: &E) -> FailureClass {
        FailureClass::of_error(error)
    }
}

impl ClassifyEos for FailureAtEnd {
    type FailureClass = FailureClass;

    fn classify_eos(self, trailers: Option<&HeaderMap>) -> Result<(), FailureClass> {
        let outcome = trailers.and_then(grpc::code_in).map(Outcome::Grpc);
        match outcome.filter(|outcome| is_error(*outcome)) {
            Some(outcome) => Err(FailureClass {
                error_type: None,
                text: None,
                outcome,
            }),
            None => Ok(()),
        }
    }

    fn classify_error<E: fmt::Display + 'static>(self, error: &E) -> FailureClass {
        FailureClass::of_error(error)
    }
}

/// Returns whether an outcome is an error of the server, whatever the failure.
fn is_error(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Status(status) => status.is_server_error(),
        Outcome::Grpc(code) => code.http_status().is_server_error(),
        Outcome::Close(_) | Outcome::Aborted => false,
    }
}
