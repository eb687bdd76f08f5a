//! Status at the end of a body that has failed.

use std::{
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use super::{code::GrpcCode, metadata::GRPC_STATUS, web::MessageTracker};
use crate::headers::{FRAMING, REPRESENTATION};

/// Future of the trailers, which is pending while an async handler runs.
pub(crate) type Trailers = Pin<Box<dyn Future<Output = HeaderMap> + Send>>;

/// Last frame of a body that has failed.
pub(crate) struct FinalFrame {
    /// A response body has to be `Sync` if the inner body is, and the boxed future is only `Send`,
    /// because a user's async handler need not be more. The mutex makes the frame `Sync`. It is
    /// never locked: `poll` has exclusive access.
    trailers: Mutex<Trailers>,
    /// Position in the messages of a gRPC-Web body. `None` if the status goes into HTTP trailers.
    tracker: Option<MessageTracker>,
}

impl FinalFrame {
    pub(crate) fn new(trailers: Trailers, tracker: Option<MessageTracker>) -> Self {
        let trailers = Mutex::new(trailers);
        Self { trailers, tracker }
    }

    /// Polls for the frame.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Frame<Bytes>> {
        // Nothing locks the mutex, so nothing poisons it.
        let trailers = self
            .trailers
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let trailers = ready!(trailers.as_mut().poll(cx));
        Poll::Ready(match &self.tracker {
            None => Frame::trailers(trailers),
            Some(tracker) => Frame::data(tracker.trailer_frame(&trailers)),
        })
    }
}

/// Converts the head of a rendered response to trailers, after another head has been sent.
///
/// A handler's response with messages of its own cannot follow the messages that were sent. It
/// becomes UNKNOWN without a message.
pub(crate) fn into_trailers(mut headers: HeaderMap) -> HeaderMap {
    for name in REPRESENTATION.iter().chain(&FRAMING) {
        headers.remove(name);
    }
    headers
        .entry(GRPC_STATUS)
        .or_insert_with(|| GrpcCode::Unknown.header_value());
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_frame_is_send_and_sync() {
        fn assert_send_and_sync<T: Send + Sync>() {}
        assert_send_and_sync::<FinalFrame>();
    }
}
