//! The body of a handler's response.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

#[cfg(feature = "axum")]
use axum_core::body::Body as AxumBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};

use crate::error::BoxError;

/// Body of a handler's response.
pub(crate) enum ReplyBody {
    Boxed(UnsyncBoxBody<Bytes, BoxError>),
    /// Its boxes are axum's, so that no other one is needed.
    #[cfg(feature = "axum")]
    Axum(AxumBody),
}

impl ReplyBody {
    pub(super) fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        #[cfg(feature = "axum")]
        let body = match crate::error::cast::<B, AxumBody>(body) {
            Ok(body) => return Self::Axum(body),
            Err(body) => body,
        };
        Self::Boxed(body.map_err(Into::into).boxed_unsync())
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Boxed(body) => Pin::new(body).poll_frame(cx),
            #[cfg(feature = "axum")]
            Self::Axum(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Boxed(body) => body.is_end_stream(),
            #[cfg(feature = "axum")]
            Self::Axum(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Boxed(body) => body.size_hint(),
            #[cfg(feature = "axum")]
            Self::Axum(body) => body.size_hint(),
        }
    }
}
