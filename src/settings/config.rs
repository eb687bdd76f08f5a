use std::sync::Arc;

#[cfg(feature = "websocket")]
use crate::websocket::UpgradeSettings;
use crate::{handlers::Handlers, observe::Observers, render::Render};

/// All that a layer may be told.
#[derive(Clone, Default)]
pub(crate) struct Config {
    pub(crate) handlers: Handlers,
    pub(crate) observers: Observers,
    pub(crate) renderer: Option<Arc<dyn Render>>,
    /// The longest text that is adopted, in bytes.
    pub(crate) adopt: Option<usize>,
    pub(crate) capture_headers: bool,
    #[cfg(feature = "websocket")]
    pub(crate) upgrades: Option<UpgradeSettings>,
}
