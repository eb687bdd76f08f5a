#![doc = include_str!("../docs/telemetry.md")]

#[cfg(feature = "tower")]
mod classifier;
#[cfg(feature = "tracing")]
mod level;

#[cfg(feature = "tower")]
pub use self::classifier::{FailureAtEnd, FailureClass, FailureClassifier};
#[cfg(feature = "tracing")]
pub use self::level::default_level;
