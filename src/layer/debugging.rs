//! Configuration of the layer: the page for development.

use super::ExceptionLayer;
use crate::{
    debug_page::DebugPage,
    exchange::{Configured, LayerConfig},
};

/// Page for development.
impl<C: LayerConfig> ExceptionLayer<C> {
    /// Shows failures on a page to the developer, and stores the last hundred.
    ///
    /// A request from this machine whose `Accept` header prefers HTML gets the page. Any other
    /// request from this machine gets the layer's rendering, to which the member `debug` is added
    /// if it is a JSON object. Nobody else gets either. The [guide](crate::debug_page) says who
    /// may see the page, and what it shows.
    ///
    /// Nothing changes if the page is [off](DebugPage::is_on), as it is in release builds. The
    /// order of this method and [`with_renderer`](Self::with_renderer) does not matter.
    ///
    /// ```
    /// use tower_exception::{ExceptionLayer, debug_page::DebugPage};
    ///
    /// let layer = ExceptionLayer::new().with_debug_page(DebugPage::new());
    /// ```
    pub fn with_debug_page(self, page: DebugPage) -> ExceptionLayer<Configured> {
        self.change(|config| {
            if page.is_on() {
                config.set_debug_page(page);
            }
        })
    }
}
