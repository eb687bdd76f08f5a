//! The end of a stream of messages whose service has failed: a status.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use super::Sent;

/// The trailers that something is answered with; an async handler takes its time to give them.
pub type Trailers = Pin<Box<dyn Future<Output = HeaderMap> + Send>>;

/// What a body that failed ends with.
pub struct Ending {
    trailers: Trailers,
    /// What was sent over gRPC-Web; `None` where HTTP has trailers.
    sent: Option<Sent>,
}

impl Ending {
    pub(crate) fn new(trailers: Trailers, sent: Option<Sent>) -> Self {
        Self { trailers, sent }
    }

    /// The last frame.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Frame<Bytes>> {
        let trailers = ready!(self.trailers.as_mut().poll(cx));
        Poll::Ready(match &self.sent {
            None => Frame::trailers(trailers),
            Some(sent) => Frame::data(sent.end(&trailers)),
        })
    }
}
