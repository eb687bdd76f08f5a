//! Whether the platform has a clock.

/// `false` if [`Instant::now`](std::time::Instant::now) panics, as it does on
/// `wasm32-unknown-unknown`.
#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
pub(crate) const HAS_CLOCK: bool = !cfg!(all(target_family = "wasm", target_os = "unknown"));
