//! Servers and clients.

mod client;
mod raw;
mod server;

use std::time::Duration;

use tokio::sync::mpsc;
use tower_exception::{Answer, Caught, CloseCode, Custom, ExceptionLayer, WebSocketException};

pub use self::{client::*, raw::*, server::*};
pub use crate::common::{PROTOCOLS, Protocol, SECRET_TEXT, SecretError, panic_hook_runs, within};

/// A close timeout for clients that let it run out.
pub const SOON: Duration = Duration::from_millis(100);

/// The exception of most tests.
pub fn no_swearing() -> WebSocketException {
    WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no swearing")
}

pub fn upgrades() -> ExceptionLayer<Custom> {
    ExceptionLayer::new().with_upgrades()
}

/// What observers are told: `Raised Upgraded Close(1008): 1008: no swearing`.
pub struct Told(mpsc::UnboundedReceiver<String>);

/// The layer, observed.
pub fn observed(layer: ExceptionLayer<Custom>) -> (ExceptionLayer<Custom>, Told) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let layer = layer.observe(move |caught: &Caught, answer: Answer| {
        let (how, place) = (caught.how(), caught.place());
        let _ = sender.send(format!("{how:?} {place:?} {answer:?}: {caught}"));
    });
    (layer, Told(receiver))
}

impl Told {
    pub async fn next(&mut self) -> String {
        within(self.0.recv()).await.expect("the layer is there")
    }

    /// All that they were told so far, and not taken yet.
    pub fn all(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }

    pub fn assert_nothing_else(&mut self) {
        assert_eq!(self.all(), [""; 0]);
    }
}

/// Waits until no connection of the layer is left.
pub async fn all_closed(layer: &ExceptionLayer<Custom>) {
    within(async {
        while layer.upgrades().count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
