//! Configuration of a layer.

use std::sync::Arc;

#[cfg(feature = "debug-page")]
use crate::debug_page::{DebugPage, Debugging};
use crate::{
    caught::Captures, handling::Handling, ids::Ids, render::Render, shards::Shards,
    websocket::WebSockets,
};

/// Everything that a layer can be configured with.
#[derive(Clone, Default)]
pub struct Config {
    /// Shared with each request.
    pub(crate) handling: Shards<Handling>,
    /// `None` if nothing is captured.
    pub(crate) captures: Option<Captures>,
    /// No request counts as gRPC.
    pub(crate) without_grpc: bool,
    pub(crate) websockets: Option<WebSockets>,
    #[cfg(feature = "debug-page")]
    debugging: Debugging,
}

impl Config {
    /// Sets the renderer. The `Accept` header of each request is captured if it negotiates.
    pub(crate) fn set_renderer(&mut self, renderer: impl Render) {
        let accept = renderer.negotiates();
        if accept || self.captures.is_some() {
            self.captures.get_or_insert_default().accept = accept;
        }
        let renderer: Option<Arc<dyn Render>> = Some(Arc::new(renderer));
        #[cfg(feature = "debug-page")]
        let renderer = self.debugging.set_renderer(renderer);
        self.handling
            .change(|handling| handling.renderer = renderer);
    }

    /// Sets the page for development, which is on.
    #[cfg(feature = "debug-page")]
    pub(crate) fn set_debug_page(&mut self, page: DebugPage) {
        DebugPage::capture(self.captures.get_or_insert_default());
        let observer = page.clone();
        let renderer = self.debugging.set_page(page);
        self.handling.change(|handling| {
            handling
                .reporting
                .observers
                .add(move |caught, outcome| observer.record(caught, outcome));
            handling.renderer = renderer;
        });
    }

    /// Sets the sources of ids. No request is searched unless a header may have one.
    pub(crate) fn set_ids(&mut self, ids: Ids) {
        let reads_headers = ids.reads_headers();
        if reads_headers || self.captures.is_some() {
            self.captures.get_or_insert_default().ids = reads_headers.then(|| ids.clone());
        }
        self.handling
            .change(|handling| handling.ids = Some(Arc::new(ids)));
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn set_websockets(&mut self, websockets: WebSockets) {
        self.handling
            .change(|handling| handling.reject_handshake_with = websockets.rejection_status());
        self.websockets = Some(websockets);
    }
}
