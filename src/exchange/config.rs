//! Configuration of a layer.

use std::sync::Arc;

use crate::{caught::Captures, handling::Handling, websocket::WebSockets};

/// Everything that a layer can be configured with.
#[derive(Clone, Default)]
pub struct Config {
    /// Shared with each request.
    pub(crate) handling: Arc<Handling>,
    /// `None` if nothing is captured.
    pub(crate) captures: Option<Captures>,
    /// No request counts as gRPC.
    pub(crate) without_grpc: bool,
    pub(crate) websockets: Option<WebSockets>,
}

#[cfg(feature = "websocket")]
impl Config {
    pub(crate) fn set_websockets(&mut self, websockets: WebSockets) {
        let handling = Arc::make_mut(&mut self.handling);
        handling.reject_handshake_with = websockets.rejection_status();
        self.websockets = Some(websockets);
    }
}
