//! The outcome of a failure.

use http::{Response, StatusCode};

use crate::{
    exception::CloseCode,
    grpc::{self, GrpcCode},
};

/// Outcome of a failure: the response, the status or the close frame that the client received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// A response with this status.
    Status(StatusCode),
    /// A gRPC status with this code. Its HTTP status is always 200.
    ///
    /// It is in the head of the response, or after the messages if the head was sent already
    /// ([`Phase::Body`](crate::Phase::Body)).
    Grpc(GrpcCode),
    /// A WebSocket's close frame with this code.
    Close(CloseCode),
    /// Nothing. The head of the response was sent already, and its body ended with an error; or no
    /// close frame could be sent on the WebSocket any more.
    Aborted,
}

impl Outcome {
    /// Returns the outcome of a failure to which `response` is sent.
    pub(crate) fn of<B>(response: &Response<B>) -> Self {
        let code = match response.status() {
            // A gRPC response has this one, whatever its code is.
            StatusCode::OK => grpc::code_of(response.headers()),
            _ => None,
        };
        code.map_or(Self::Status(response.status()), Self::Grpc)
    }

    /// Returns whether the client sees no error.
    #[cfg(feature = "tracing")]
    pub(super) fn is_success(self) -> bool {
        match self {
            Self::Status(status) => !status.is_client_error() && !status.is_server_error(),
            Self::Grpc(code) => code == GrpcCode::Ok,
            Self::Close(code) => code == CloseCode::NORMAL_CLOSURE,
            Self::Aborted => false,
        }
    }
}
