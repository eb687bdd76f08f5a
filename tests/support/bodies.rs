//! Response bodies, frame by frame.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http_body::{Body, Frame};
use http_body_util::{StreamBody, combinators::UnsyncBoxBody};

use super::BoxError;

/// Returns a body of these frames, each made when the server polls for it.
pub fn body<S>(frames: S) -> UnsyncBoxBody<Bytes, BoxError>
where
    S: Stream<Item = Result<&'static str, BoxError>> + Send + 'static,
{
    let frames = frames.map(|text| Ok(Frame::data(Bytes::from(text?))));
    UnsyncBoxBody::new(StreamBody::new(frames))
}

/// Returns an endless body of empty frames, each ready at once.
pub fn endless_empty_frames() -> UnsyncBoxBody<Bytes, BoxError> {
    body(stream::repeat_with(|| Ok("")))
}

/// Returns a body that sends `first`, and then the result of `end`.
pub fn first_then(
    end: fn() -> Result<Frame<Bytes>, BoxError>,
) -> impl Body<Data = Bytes, Error = BoxError> + Send {
    let frames = stream::unfold(0, move |frame| async move {
        if frame == 0 {
            return Some((Ok(Frame::data(Bytes::from("first"))), 1));
        }
        // The server flushes the first frame when the body is pending.
        tokio::task::yield_now().await;
        Some((end(), 2))
    });
    StreamBody::new(Box::pin(frames))
}
