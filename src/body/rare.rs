//! The bodies that few responses have.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{
    adopt::ReplayedBody,
    error::BoxError,
    exchange::RepliedBody,
    grpc::{MessageTracker, TrackedBody},
};

/// Body that few responses have. It is behind one pointer, so that other bodies do not grow by it.
pub(super) enum RareBody<B> {
    Replayed(ReplayedBody<B>),
    Replied(RepliedBody),
    GrpcWeb(TrackedBody<B>),
}

impl<B> RareBody<B> {
    pub(super) fn tracker(&self) -> Option<MessageTracker> {
        match self {
            Self::GrpcWeb(body) => Some(body.tracker()),
            Self::Replayed(_) | Self::Replied(_) => None,
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
            Self::Replied(body) => Pin::new(body).poll_frame(cx),
            Self::GrpcWeb(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Replayed(body) => body.is_end_stream(),
            Self::Replied(body) => body.is_end_stream(),
            Self::GrpcWeb(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Replayed(body) => body.size_hint(),
            Self::Replied(body) => body.size_hint(),
            Self::GrpcWeb(body) => body.size_hint(),
        }
    }
}
