//! Adapter that serves a tower service over HTTP/3, by h3 on any QUIC.

pub mod http3;
