//! The body of a handler's response.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::error::BoxError;

/// Body of a handler's response, in a box: axum's if the feature is on, so that its bodies need no
/// other one.
pub(crate) struct ReplyBody(Boxed);

#[cfg(feature = "axum")]
type Boxed = axum_core::body::Body;

#[cfg(not(feature = "axum"))]
type Boxed = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

impl ReplyBody {
    pub(super) fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self(boxed(body))
    }
}

#[cfg(feature = "axum")]
fn boxed<B>(body: B) -> Boxed
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    // It does not put a body of its own type into another box.
    Boxed::new(body)
}

#[cfg(not(feature = "axum"))]
fn boxed<B>(body: B) -> Boxed
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    use http_body_util::BodyExt;

    body.map_err(Into::into).boxed_unsync()
}

#[cfg(feature = "axum")]
fn unboxed(error: axum_core::Error) -> BoxError {
    error.into_inner()
}

#[cfg(not(feature = "axum"))]
fn unboxed(error: BoxError) -> BoxError {
    error
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = Pin::new(&mut self.get_mut().0);
        body.poll_frame(cx).map_err(unboxed)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
