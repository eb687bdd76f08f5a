//! The mechanism and the phase of a failure.

/// Mechanism by which a failure arose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// A service or a body returned it as its error.
    Returned,
    /// A response carried it, also in the trailers of a gRPC stream.
    Attached,
    /// Unwinding: [`HttpException::raise`](crate::HttpException::raise), or
    /// [`panic_any`](std::panic::panic_any) of an exception.
    Raised,
    /// [`HttpException::raise_async`](crate::HttpException::raise_async).
    RaisedAsync,
    /// A panic whose payload is no exception.
    Panicked,
    /// A plain error response, taken as an exception:
    /// [`adopt_error_responses`](crate::ExceptionLayer::adopt_error_responses).
    Adopted,
}

impl Mechanism {
    /// Returns the name in events and metrics: `returned`, `attached`, `raised`, `raised_async`,
    /// `panicked` or `adopted`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Attached => "attached",
            Self::Raised => "raised",
            Self::RaisedAsync => "raised_async",
            Self::Panicked => "panicked",
            Self::Adopted => "adopted",
        }
    }
}

/// Phase of a request in which a failure was caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// In `poll_ready`.
    PollReady,
    /// In `call`.
    Call,
    /// In the future that `call` returned.
    Future,
    /// In the body of the response.
    Body,
    /// After the handshake of a WebSocket, in the task that has the connection.
    WebSocket,
    /// In a handler or a renderer, while another failure was handled.
    Handling,
}

impl Phase {
    /// Returns the name in events and metrics: `poll_ready`, `call`, `future`, `body`, `websocket`
    /// or `handling`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PollReady => "poll_ready",
            Self::Call => "call",
            Self::Future => "future",
            Self::Body => "body",
            Self::WebSocket => "websocket",
            Self::Handling => "handling",
        }
    }
}
