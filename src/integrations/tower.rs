use tower::ServiceBuilder;
use tower_layer::Stack;

use crate::ExceptionLayer;

/// Adds exceptions to tower's [`ServiceBuilder`].
pub trait ServiceBuilderExt<L>: sealed::Sealed<L> + Sized {
    /// Catches the exceptions, errors and panics of everything below, as
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
