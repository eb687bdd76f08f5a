//! The body of a response that the layer or a handler has made.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{error::BoxError, handler::ReplyBody};

/// Body of a response that the layer or a handler has made.
pub enum AnswerBody {
    Rendered(Bytes),
    Replied(RepliedBody),
}

impl AnswerBody {
    /// Returns the exact length in bytes, if it is known.
    pub(crate) fn exact_length(&self) -> Option<u64> {
        match self {
            Self::Rendered(bytes) => Some(bytes.len() as u64),
            Self::Replied(body) => body.size_hint().exact(),
        }
    }
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> Self {
        Self::Rendered(bytes)
    }
}

/// Body of a handler's response.
///
/// A reply's body has to be `Send` only, while the layer's body is `Sync` if the service's is. The
/// mutex makes the difference. Nothing locks it: a poll has exclusive access, and what others ask
/// for is known from the last poll.
pub struct RepliedBody {
    body: Mutex<ReplyBody>,
    is_end_stream: bool,
    size_hint: SizeHint,
}

impl RepliedBody {
    pub(crate) fn new(body: ReplyBody) -> Self {
        Self {
            is_end_stream: body.is_end_stream(),
            size_hint: body.size_hint(),
            body: Mutex::new(body),
        }
    }
}

impl Body for RepliedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self {
            body,
            is_end_stream,
            size_hint,
        } = &mut *self;
        let body = body.get_mut().unwrap_or_else(PoisonError::into_inner);
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        *is_end_stream = body.is_end_stream();
        *size_hint = body.size_hint();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.is_end_stream
    }

    fn size_hint(&self) -> SizeHint {
        // It is `Copy` in the newest versions only.
        SizeHint::clone(&self.size_hint)
    }
}
