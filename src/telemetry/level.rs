//! The default level of an event.

use tracing::Level;

use crate::{
    caught::Caught,
    report::{self, Outcome},
};

/// Returns the level that the event for a failure has by default.
///
/// It is `ERROR` for an HTTP status of 500 and above, a gRPC code that corresponds to one, a close
/// code 1011, a panic, and a body that was cut short. A fault of the client, such as a request body
/// that it breaks off, and everything else is `DEBUG`.
///
/// It is for [`log_as`](crate::ExceptionLayer::log_as), which has an example.
pub fn default_level(caught: &Caught, outcome: Outcome) -> Level {
    report::default_level(caught.failure(), outcome)
}
