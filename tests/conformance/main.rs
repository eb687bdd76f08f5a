//! Cases of other projects' test suites, run against the layer over real sockets.
//!
//! | module | suite |
//! | --- | --- |
//! | [`autobahn`] | sections 2 to 7 of the Autobahn TestSuite, as they concern a WebSocket server |
//! | [`grpc_interop`] | the error cases of gRPC's interoperability tests |
//! | [`starlette`] | Starlette's and FastAPI's tests of exceptions |

#[path = "../support/mod.rs"]
mod support;

mod autobahn;
mod grpc_interop;
mod starlette;

/// Code generated from `proto/testing.proto` by the crate in `tests/grpc/generate`.
#[rustfmt::skip]
#[allow(clippy::all, clippy::pedantic, unused_qualifications)]
mod generated;
