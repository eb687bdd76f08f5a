//! Implementations for other crates' traits, which no other file imports.

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "garde")]
mod garde;
#[cfg(feature = "problem_details")]
mod problem_details;
#[cfg(feature = "tonic")]
mod tonic;
#[cfg(feature = "tower")]
mod tower;
#[cfg(feature = "validator")]
mod validator;

#[cfg(feature = "tower")]
pub use self::tower::ServiceBuilderExt;
