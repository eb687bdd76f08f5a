//! What the layer has to say beside the answer: `tracing` events, where that feature is on.
//!
//! What is logged has other people's `Display`, which may panic: that must not cost the answer.
#![cfg_attr(not(feature = "tracing"), allow(unused_variables, dead_code))]

use std::{error::Error, fmt};

use http::{HeaderName, StatusCode};

#[cfg(feature = "tracing")]
use crate::interrupt::quietly;
use crate::{chain::chain, thrown::Thrown};

/// Something was caught, and is about to be answered.
#[cold]
pub(crate) fn caught(thrown: &Thrown) {
    #[cfg(feature = "tracing")]
    quietly(|| {
        let error = Whole(thrown.as_error());
        match thrown {
            Thrown::Exception(_) => tracing::debug!(%error, "caught an exception"),
            Thrown::Error(_) => tracing::error!(%error, "caught an error"),
            Thrown::Panic(_) => tracing::error!(%error, "caught a panic"),
        }
    });
}

/// Something was raised while the head of the response was out already.
#[cold]
pub(crate) fn cut_short(error: &(dyn Error + 'static)) {
    #[cfg(feature = "tracing")]
    quietly(|| tracing::error!(error = %Whole(error), "a response body was cut short"));
}

/// Something was raised while something else was answered.
#[cold]
pub(crate) fn not_answered(error: &(dyn Error + 'static)) {
    #[cfg(feature = "tracing")]
    quietly(|| {
        tracing::error!(error = %Whole(error), "the answer to an exception could not be made, gave 500");
    });
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

/// An error with its chain of sources: for the log, never for the client.
struct Whole<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for error in chain(self.0) {
            write!(f, "{separator}{error}")?;
            separator = ": ";
        }
        Ok(())
    }
}

/// An exception was raised without unwinding where nothing catches it, and unwinding is not to be had.
#[cfg(not(panic = "unwind"))]
#[cold]
pub(crate) fn raised_for_nobody(exception: &(dyn Error + 'static)) {
    #[cfg(feature = "tracing")]
    quietly(|| {
        tracing::error!(
            error = %Whole(exception),
            "raised where nothing catches it and nothing can unwind: the future never ends",
        );
    });
}
