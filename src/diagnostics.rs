//! Warnings about the application's use of this crate: `tracing` events, with that feature.
#![cfg_attr(not(feature = "tracing"), allow(unused_variables))]

use std::fmt;
#[cfg(not(panic = "unwind"))]
use std::panic::Location;

use http::{HeaderName, StatusCode};

#[cfg(feature = "tracing")]
use crate::escape::Escaped;

/// Reports that an exception had an informational status, which cannot end an exchange.
#[cold]
pub(crate) fn informational_status(status: StatusCode) {
    #[cfg(feature = "tracing")]
    tracing::error!(
        %status,
        "an exception had an informational status; the client received a 500",
    );
}

/// Reports that a header of an exception was not sent, and why.
#[cold]
pub(crate) fn header_dropped(name: &HeaderName, why: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%name, why, "a header of an exception was dropped");
}

/// Reports that a part of an exception was not sent to a gRPC client, and why.
#[cfg(feature = "tonic")]
#[cold]
pub(crate) fn detail_dropped(part: &str, why: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        part,
        why,
        "a gRPC client did not receive a part of an exception"
    );
}

/// Reports that protocol buffers cannot hold a member of an exception.
#[cfg(feature = "tonic")]
#[cold]
pub(crate) fn member_dropped(name: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        name = %Escaped(name),
        "a gRPC client did not receive a member of an exception: a `Struct` cannot hold it",
    );
}

/// Reports that a problem document was sent without a member, and why.
#[cold]
pub(crate) fn member_refused(error: &dyn fmt::Display) {
    #[cfg(feature = "tracing")]
    tracing::warn!(error = %Escaped(error), "a member of a problem document was left out");
}

/// Reports that an error was raised without unwinding under no layer, and that the process cannot
/// unwind.
#[cfg(not(panic = "unwind"))]
#[cold]
pub(crate) fn raised_uncaught(error: &dyn fmt::Display, location: &Location<'_>) {
    #[cfg(feature = "tracing")]
    tracing::error!(
        error = %Escaped(error),
        %location,
        "an error was raised where nothing catches it and nothing can unwind: \
         the future never completes",
    );
}
