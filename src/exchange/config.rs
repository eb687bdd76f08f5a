//! Configuration of a layer.

use std::sync::Arc;

use crate::{caught::Captures, handling::Handling, render::Render, websocket::WebSockets};

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

impl Config {
    /// Sets the renderer. The `Accept` header of each request is captured if it negotiates.
    pub(crate) fn set_renderer(&mut self, renderer: impl Render) {
        let accept = renderer.negotiates();
        if accept || self.captures.is_some() {
            self.captures.get_or_insert_default().accept = accept;
        }
        Arc::make_mut(&mut self.handling).renderer = Some(Arc::new(renderer));
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn set_websockets(&mut self, websockets: WebSockets) {
        let handling = Arc::make_mut(&mut self.handling);
        handling.reject_handshake_with = websockets.rejection_status();
        self.websockets = Some(websockets);
    }
}
