//! Guides, and notes on how the crate is made.

#[doc = include_str!("design.md")]
pub mod design {}

#[doc = include_str!("raising.md")]
pub mod raising {}

#[doc = include_str!("handlers.md")]
pub mod handlers {}

#[doc = include_str!("grpc.md")]
pub mod grpc {}

#[doc = include_str!("websocket.md")]
#[cfg(feature = "websocket")]
pub mod websocket {}
