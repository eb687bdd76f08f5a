//! What other crates' types have to do with exceptions. Each file needs the feature of its name.

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "tokio")]
pub(crate) mod tokio;
#[cfg(feature = "tower")]
pub(crate) mod tower;

#[cfg(feature = "tower")]
pub use self::tower::ServiceBuilderExt;
