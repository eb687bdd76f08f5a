use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{
    BoxError,
    interrupt::{Interrupt, catch_poll, quietly},
    log,
};

pin_project! {
    /// The body of the responses of [`ExceptionService`](crate::ExceptionService): a rendered
    /// exception, or the inner service's body under a guard.
    ///
    /// When an inner body raises or panics, the head of the response is out, and no answer can be
    /// given any more. The body then ends with an error, so that nobody takes a half for the whole:
    /// over HTTP/1.1 the server cuts the connection, over HTTP/2 it resets the stream.
    pub struct ExceptionBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Rendered { bytes: Bytes },
    }
}

impl<B> ExceptionBody<B> {
    #[inline]
    pub(crate) fn guard(body: B) -> Self {
        Self {
            kind: Kind::Inner { body },
        }
    }

    #[inline]
    pub(crate) fn rendered(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Rendered { bytes },
        }
    }
}

impl<B> Body for ExceptionBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut kind = self.project().kind;
        match kind.as_mut().project() {
            KindProjection::Inner { body } => match catch_poll(cx, |cx| body.poll_frame(cx)) {
                Ok(poll) => poll.map_err(Into::into),
                Err(payload) => {
                    let error = BoxError::from(Interrupt::from_payload(payload));
                    log::cut_short(&*error);
                    let bytes = Bytes::new();
                    quietly(|| kind.set(Kind::Rendered { bytes }));
                    Poll::Ready(Some(Err(error)))
                }
            },
            KindProjection::Rendered { bytes } if bytes.is_empty() => Poll::Ready(None),
            KindProjection::Rendered { bytes } => {
                let bytes = std::mem::take(bytes);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Rendered { bytes } => bytes.is_empty(),
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            // axum writes `content-length: 0` for a body that is known to be empty, also with a 204 and a
            // 304, which must not have one (RFC 9110, section 8.6).
            Kind::Rendered { bytes } if bytes.is_empty() => SizeHint::default(),
            Kind::Rendered { bytes } => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

impl<B> fmt::Debug for ExceptionBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExceptionBody").finish_non_exhaustive()
    }
}
