//! Cases of other projects' test suites, run against the layer over real sockets.
//!
//! | module | suite |
//! | --- | --- |
//! | [`autobahn`] | sections 2 to 7 of the Autobahn TestSuite, as they concern a WebSocket server |

#[path = "../support/mod.rs"]
mod support;

mod autobahn;
