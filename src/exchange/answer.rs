//! The body of a response that the layer or a handler has made.

use std::{
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
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
/// mutex makes the difference. Nobody ever waits for it.
pub struct RepliedBody(Mutex<ReplyBody>);

impl RepliedBody {
    pub(crate) fn new(body: ReplyBody) -> Self {
        Self(Mutex::new(body))
    }

    fn lock(&self) -> MutexGuard<'_, ReplyBody> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for RepliedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        Pin::new(body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().size_hint()
    }
}
