//! The level of an event.

use std::sync::Arc;

use tracing::Level;

use super::{Outcome, server_fault::is_server_fault};
use crate::{
    caught::{Caught, RequestHead, failure::Failure},
    unwind::{catch_or, ignore_panic},
};

/// The user's function that decides on the level of an event, or that there is none.
#[derive(Clone)]
pub(crate) struct LogAs(Arc<LevelOf>);

type LevelOf = dyn Fn(&Caught, Outcome) -> Option<Level> + Send + Sync;

impl LogAs {
    pub(crate) fn new(
        level_of: impl Fn(&Caught, Outcome) -> Option<Level> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(level_of))
    }

    /// Returns the level. If the function panics, the level is the default one.
    pub(super) fn level(
        &self,
        failure: &Failure,
        request: &RequestHead,
        outcome: Outcome,
    ) -> Option<Level> {
        let caught = Caught::of_failure(failure.clone(), request.clone());
        let default = Some(default_level(failure, outcome));
        let level = catch_or(default, || (self.0)(&caught, outcome));
        ignore_panic(|| drop(caught));
        level
    }
}

/// Returns the level of the event for a failure, unless the user decides otherwise.
pub(crate) fn default_level(failure: &Failure, outcome: Outcome) -> Level {
    match is_server_fault(failure, outcome) {
        true => Level::ERROR,
        false => Level::DEBUG,
    }
}
