//! Failures in logs, collectors and other telemetry, in the words of OpenTelemetry.
#![allow(
    clippy::duplicate_mod,
    reason = "each example has the shop as a module of its own"
)]

#[path = "../support/mod.rs"]
mod support;

mod collector;
mod events;
mod levels;
mod limit;
mod metrics;
mod recipes;
mod trace_layer;

#[path = "../../examples/telemetry/shop.rs"]
mod shop;
