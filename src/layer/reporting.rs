//! Settings of the events for failures.

use std::{sync::Arc, time::Duration};

use tracing::Level;

use super::ExceptionLayer;
use crate::{
    caught::Caught,
    exchange::{Configured, LayerConfig},
    report::{LogAs, LogLimit, Outcome},
};

/// Configuration of the events, with the feature `tracing`.
impl<C: LayerConfig> ExceptionLayer<C> {
    /// Sets the level of the event for each failure. `None` emits none.
    ///
    /// By default the level is [`telemetry::default_level`](crate::telemetry::default_level):
    /// `ERROR` if the server has to look into the failure, otherwise `DEBUG`. If `level_of` panics,
    /// that level holds. Observers are called for each failure, whatever its level.
    ///
    /// If layers nest, the outermost one that has a configuration decides.
    ///
    /// ```
    /// use tower_exception::{Caught, ExceptionLayer, HttpException, Outcome, telemetry};
    /// use tracing::Level;
    ///
    /// let layer = ExceptionLayer::new().log_as(|caught: &Caught, outcome: Outcome| match outcome {
    ///     // A health check that fails on purpose.
    ///     _ if caught.request().uri().path() == "/ready" => None,
    ///     Outcome::Status(status) if status == 403 => Some(Level::WARN),
    ///     _ => Some(telemetry::default_level(caught, outcome)),
    /// });
    /// ```
    pub fn log_as(
        self,
        level_of: impl Fn(&Caught, Outcome) -> Option<Level> + Send + Sync + 'static,
    ) -> ExceptionLayer<Configured> {
        self.configure(|handling| handling.reporting.log_as = Some(LogAs::new(level_of)))
    }

    /// Limits the events to `lines` in each period of `per`, for each kind and place of failure. At
    /// least one line is emitted.
    ///
    /// Failures are of one kind and place if they have the same `error.type`, kind, mechanism,
    /// phase and location. A code that is no literal counts as its status, because it may hold
    /// anything. The next line of that kind has the number of those that were left out, in the
    /// field `tower_exception.left_out`. A period begins with its first line. Only failures that
    /// would have had an event count: a level that no subscriber enables takes no line.
    ///
    /// The memory is bounded: the first 1024 kinds and places of a period are counted apart, and
    /// all others together. Clones of the layer share the limit. Observers are called for each
    /// failure. On a platform without a clock (`wasm32-unknown-unknown`) there is no limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_exception::ExceptionLayer;
    ///
    /// // A database that is down fails each request. The log has 10 lines a minute.
    /// let layer = ExceptionLayer::new().log_at_most(10, Duration::from_secs(60));
    /// ```
    pub fn log_at_most(self, lines: u32, per: Duration) -> ExceptionLayer<Configured> {
        let limit = Arc::new(LogLimit::new(lines, per));
        self.configure(|handling| handling.reporting.limit = Some(limit))
    }
}
