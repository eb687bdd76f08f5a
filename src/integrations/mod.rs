//! What other crates' types have to do with exceptions. Each file needs the feature of its name.

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "tokio")]
pub(crate) mod tokio;
#[cfg(feature = "tonic")]
pub(crate) mod tonic;
#[cfg(feature = "tower")]
mod tower;

#[cfg(any(feature = "tonic", feature = "tower"))]
use std::error::Error;

#[cfg(feature = "tower")]
pub use self::tower::ServiceBuilderExt;

/// The exception that stands for another crate's error, where no handler answers it.
#[cfg(any(feature = "tonic", feature = "tower"))]
pub(crate) fn known(error: &(dyn Error + 'static)) -> Option<crate::HttpException> {
    #[cfg(feature = "tower")]
    if let Some(exception) = tower::known(error) {
        return Some(exception);
    }
    #[cfg(feature = "tonic")]
    if let Some(exception) = tonic::known(error) {
        return Some(exception);
    }
    None
}
