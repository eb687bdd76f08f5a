//! What the layer has to say beside the answer: `tracing` events, where that feature is on.
//!
//! What is logged has other people's `Display`, which may panic: that must not cost the answer.
#![cfg_attr(not(feature = "tracing"), allow(unused_variables, dead_code))]

use std::fmt;

use http::{HeaderName, StatusCode};

use crate::{Answer, Exception, RequestHead, chain::chain, thrown::Thrown};
#[cfg(feature = "tracing")]
use crate::{CloseCode, How, Place, interrupt::quietly, thrown::What};

/// Something is about to be answered by default, over HTTP.
#[cold]
pub(crate) fn answering(thrown: &Thrown, request: Option<&RequestHead>) {
    #[cfg(feature = "tracing")]
    quietly(|| told(thrown, request, Answer::Status(thrown.status())));
}

/// Something was caught, and the client was given `answer`.
#[cold]
pub(crate) fn told(thrown: &Thrown, request: Option<&RequestHead>, answer: Answer) {
    #[cfg(feature = "tracing")]
    quietly(|| {
        let (status, grpc_status, close_code) = match answer {
            Answer::Status(status) => (Some(status.as_u16()), None, None),
            Answer::Grpc(code) => (None, Some(tracing::field::display(code)), None),
            Answer::Close(code) => (None, None, Some(code.get())),
            Answer::CutShort => (None, None, None),
        };
        let kind = match &thrown.what {
            What::Exception(Exception::Http(_)) => "http exception",
            What::Exception(Exception::WebSocket(_)) => "websocket exception",
            What::Error(..) => "error",
            What::Panic(_) => "panic",
        };
        let error = Whole(thrown);
        let location = thrown.location().map(tracing::field::display);
        let method = request.map(|request| request.method().as_str());
        let path = request.map(|request| request.uri().path());
        let (how, place) = (thrown.how, thrown.place);
        let message = match answer {
            Answer::Status(_) | Answer::Grpc(_) => "answered an exception",
            Answer::Close(_) => "closed a WebSocket",
            Answer::CutShort if place == Place::Upgraded => "a WebSocket could take no close frame",
            Answer::CutShort => "a response body was cut short",
        };
        /// One event, of whichever level.
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(status, grpc_status, close_code, kind, ?how, ?place, method, path, %error, location, "{message}")
            };
        }
        match how == How::Panicked || is_failure(answer, place) {
            true => event!(error),
            false => event!(debug),
        }
    });
}

/// Whether it is for the server to look into: over HTTP a 5xx, and what stands for one elsewhere.
#[cfg(feature = "tracing")]
fn is_failure(answer: Answer, place: Place) -> bool {
    match answer {
        Answer::Status(status) => status.is_server_error(),
        Answer::Grpc(code) => code.http_status().is_server_error(),
        Answer::Close(code) => code == CloseCode::INTERNAL_ERROR,
        // That a WebSocket is over when something comes of it is in the nature of things.
        Answer::CutShort => place != Place::Upgraded,
    }
}

/// Something was raised while something else was answered.
#[cold]
pub(crate) fn not_answered(thrown: &Thrown) {
    told(
        thrown,
        None,
        Answer::Status(StatusCode::INTERNAL_SERVER_ERROR),
    );
}

/// An exception had a status that cannot end an exchange.
#[cold]
pub(crate) fn informational_status(status: StatusCode) {
    #[cfg(feature = "tracing")]
    tracing::error!(%status, "an informational status is not an answer, gave 500");
}

/// A header of an exception's did not go out.
#[cold]
pub(crate) fn header_dropped(name: &HeaderName, why: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%name, why, "left out a header of an exception's");
}

/// Of two handlers for the same the later one wins.
#[cold]
pub(crate) fn handler_replaced(key: &dyn fmt::Display) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%key, "a handler took the place of an earlier one");
}

/// An exception was raised without unwinding where nothing catches it, and unwinding is not to be had.
#[cfg(not(panic = "unwind"))]
#[cold]
pub(crate) fn raised_for_nobody(exception: &Exception) {
    #[cfg(feature = "tracing")]
    quietly(|| {
        tracing::error!(
            error = %exception,
            location = %exception.location(),
            "raised where nothing catches it and nothing can unwind: the future never ends",
        );
    });
}

/// What was caught, with all of its sources: for the log, never for the client.
struct Whole<'a>(&'a Thrown);

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let origin = self.0.as_exception().and_then(Exception::origin);
        // An `Exception` reads like what it is, which comes next.
        let errors = self.0.errors().filter(|error| !error.is::<Exception>());
        for error in errors.chain(origin.into_iter().flat_map(|origin| chain(origin))) {
            write!(f, "{separator}{error}")?;
            separator = ": ";
        }
        Ok(())
    }
}
