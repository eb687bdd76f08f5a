//! An extension of tower's `ServiceBuilder`.

use tower::ServiceBuilder;
use tower_layer::Stack;

use crate::layer::ExceptionLayer;

/// Extension of tower's [`ServiceBuilder`].
pub trait ServiceBuilderExt<L>: sealed::Sealed<L> + Sized {
    /// Catches the exceptions, errors and panics of all layers and the service below, as
    /// [`ExceptionLayer::new`] does.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower::ServiceBuilder;
    /// use tower_exception::ServiceBuilderExt as _;
    ///
    /// let layers = ServiceBuilder::new()
    ///     .catch_exceptions()
    ///     .timeout(Duration::from_secs(10));
    /// ```
    fn catch_exceptions(self) -> ServiceBuilder<Stack<ExceptionLayer, L>>;
}

impl<L> ServiceBuilderExt<L> for ServiceBuilder<L> {
    fn catch_exceptions(self) -> ServiceBuilder<Stack<ExceptionLayer, L>> {
        self.layer(ExceptionLayer::new())
    }
}

mod sealed {
    pub trait Sealed<L> {}
    impl<L> Sealed<L> for tower::ServiceBuilder<L> {}
}
