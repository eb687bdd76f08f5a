//! Guides, and notes on how the crate is made.

#[doc = include_str!("design.md")]
pub mod design {}
