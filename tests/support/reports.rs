//! The reports that a layer's observer receives.

use std::fmt;

use tokio::sync::mpsc;
use tower_exception::{
    Caught, ExceptionLayer, Mechanism, Outcome, Phase,
    config::{Configured, LayerConfig},
};

use super::within;

/// One report: a failure and its outcome.
///
/// Displays in one line: `Raised Future Status(404): 404: Item not found`. A report equals a text
/// if it displays as that text.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub failure: String,
    pub mechanism: Mechanism,
    pub phase: Phase,
    pub outcome: Outcome,
}

impl Report {
    pub fn new(
        failure: impl Into<String>,
        mechanism: Mechanism,
        phase: Phase,
        outcome: Outcome,
    ) -> Self {
        Self {
            failure: failure.into(),
            mechanism,
            phase,
            outcome,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            failure,
            mechanism,
            phase,
            outcome,
        } = self;
        write!(f, "{mechanism:?} {phase:?} {outcome:?}: {failure}")
    }
}

impl PartialEq<str> for Report {
    fn eq(&self, text: &str) -> bool {
        let displayed = self.to_string();
        displayed == text
    }
}

impl PartialEq<&str> for Report {
    fn eq(&self, text: &&str) -> bool {
        *self == **text
    }
}

impl PartialEq<String> for Report {
    fn eq(&self, text: &String) -> bool {
        *self == **text
    }
}

/// The reports of one layer, in order.
pub struct Reports(mpsc::UnboundedReceiver<Report>);

/// Adds an observer to the layer.
pub fn observed(layer: ExceptionLayer<impl LayerConfig>) -> (ExceptionLayer<Configured>, Reports) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let layer = layer.observe(move |caught: &Caught, outcome: Outcome| {
        let (mechanism, phase) = (caught.mechanism(), caught.phase());
        let report = Report::new(caught.to_string(), mechanism, phase, outcome);
        // A test may have dropped the receiver at its end.
        let _ = sender.send(report);
    });
    (layer, Reports(receiver))
}

impl Reports {
    /// Waits for the next report.
    pub async fn next(&mut self) -> Report {
        within(self.0.recv()).await.expect("the layer exists")
    }

    /// Takes all reports that have arrived and were not taken before.
    pub fn take(&mut self) -> Vec<Report> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }

    /// Asserts that no further report has arrived.
    #[track_caller]
    pub fn assert_none(&mut self) {
        assert_eq!(self.take(), [""; 0]);
    }
}
