//! The bodies that few responses have, and the failure of a body.

use std::{
    any::Any,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::{
    adopt::ReplayedBody,
    error::BoxError,
    grpc::{MessageTracker, TrackedBody},
    unwind::catch,
};

/// Body that few responses have. It is behind one pointer, so that other bodies do not grow by it.
pub(super) enum RareBody<B> {
    Replayed(ReplayedBody<B>),
    GrpcWeb(TrackedBody<B>),
}

impl<B> RareBody<B> {
    /// Takes the trailers of a gRPC-Web body, once, after their frame is complete.
    pub(super) fn take_trailers(&mut self) -> Option<HeaderMap> {
        match self {
            Self::GrpcWeb(body) => body.take_trailers(),
            Self::Replayed(_) => None,
        }
    }

    pub(super) fn tracker(&self) -> Option<MessageTracker> {
        match self {
            Self::GrpcWeb(body) => Some(body.tracker()),
            Self::Replayed(_) => None,
        }
    }
}

impl<B> Body for RareBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Replayed(body) => Pin::new(body).poll_frame(cx),
            Self::GrpcWeb(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Replayed(body) => body.is_end_stream(),
            Self::GrpcWeb(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Replayed(body) => body.size_hint(),
            Self::GrpcWeb(body) => body.size_hint(),
        }
    }
}

type Payload = Box<dyn Any + Send>;

/// An error or an unwinding of a body.
pub(super) enum Fault {
    Error(BoxError),
    Payload(Payload),
}

impl Fault {
    /// Converts the error of a body, by user code.
    #[cold]
    pub(super) fn of(error: impl Into<BoxError>) -> Self {
        match catch(|| error.into()) {
            Ok(error) => Self::Error(error),
            Err(payload) => Self::Payload(payload),
        }
    }
}

/// Salvages the frame of a poll that returned one and raised without unwinding. The frame was
/// complete before the failure and is sent.
#[cold]
pub(super) fn salvage_frame<E>(poll: Poll<Option<Result<Frame<Bytes>, E>>>) -> Option<Payload> {
    match poll {
        Poll::Ready(Some(Ok(frame))) => Some(Box::new(frame)),
        Poll::Ready(_) | Poll::Pending => None,
    }
}
