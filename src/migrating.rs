//! Migration guides: from the usual ways to handle errors in axum and tower-http to this crate.
//!
//! Each guide has the whole code before and after, the differences on the wire and in the log, the
//! steps, and the abilities of the old way that this crate does not have.
//!
//! | code today | guide |
//! | --- | --- |
//! | tower-http's `CatchPanicLayer` | [`catch_panic`] |
//! | axum's `HandleErrorLayer` or `HandleError` | [`handle_error`] |
//! | an `AppError` that wraps `anyhow::Error` and is an `IntoResponse` | [`anyhow`] |
//! | a `thiserror` enum that is an `IntoResponse` | [`thiserror`] |
//!
//! The code of each guide is an example, `migrating_anyhow` for instance. It serves the code after,
//! or the code before if its first argument is `before`:
//!
//! ```text
//! cargo run --example migrating_anyhow --features anyhow,axum
//! cargo run --example migrating_anyhow --features anyhow,axum -- before
//! ```

#[doc = include_str!("docs/migrating/anyhow.md")]
pub mod anyhow {}

#[doc = include_str!("docs/migrating/catch_panic.md")]
pub mod catch_panic {}

#[doc = include_str!("docs/migrating/handle_error.md")]
pub mod handle_error {}

#[doc = include_str!("docs/migrating/thiserror.md")]
pub mod thiserror {}
