//! Adapters that run the handlers of salvo and of poem below an `ExceptionLayer`.
//!
//! Both frameworks have an adapter for tower layers. salvo's runs the handlers outside of the
//! layer, and poem's accepts no layer for HTTP.

pub mod poem;
pub mod salvo;
