//! A stream of messages whose service has failed: it ends with a status.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::web::Sent;
use crate::BoxError;

/// The trailers that something is answered with; an async handler takes its time to give them.
pub type Trailers = Pin<Box<dyn Future<Output = HeaderMap> + Send>>;

/// The end of a body that failed.
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

/// A gRPC-Web body, of which is known how far its messages have been sent.
pub struct WebBody<B> {
    body: Pin<Box<B>>,
    sent: Sent,
}

impl<B> WebBody<B> {
    pub(crate) fn new(body: B, in_base64: bool) -> Self {
        Self {
            body: Box::pin(body),
            sent: Sent::nothing_yet(in_base64),
        }
    }

    pub(crate) fn sent(&self) -> Sent {
        self.sent
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for WebBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.body.as_mut().poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|it| it.as_ref().ok()?.data_ref()) {
            self.sent.send(data);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Not what the inner body says: a frame may come behind it.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
