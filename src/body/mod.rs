//! The response body: a rendered exception, a handler's body, or the service's body under guard.

mod rare;
mod trailers;

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pub(crate) use self::trailers::claim;

use self::rare::{Fault, RareBody, salvage_frame};
use crate::{
    adopt::ReplayedBody,
    caught::{Mechanism, Phase, failure::Failure},
    error::{BodyError, BoxError, sources},
    exchange::{AnswerBody, BodyContext, LayerConfig, RepliedBody, Unconfigured},
    grpc::{FinalFrame, StatusEncoding, TrackedBody},
    raise::poll::{catch_poll_salvaging, take_salvaged},
    unwind::{catch_or, ignore_panic},
};

pin_project! {
    /// Response body of [`ExceptionService`](crate::ExceptionService).
    ///
    /// It is a rendered exception, the body of a handler's response, or the body of the inner
    /// service under guard. It is `Send` and `Sync` if the body of the inner service is.
    ///
    /// If the inner body fails, the head of the response has been sent already and cannot be
    /// changed. The body then ends with an error, so that no client takes a part for the whole:
    /// over HTTP/1.1 the server cuts the connection, over HTTP/2 it resets the stream. Over
    /// HTTP/1.0 [a client cannot know](crate::handler#bodies-that-end-early). A gRPC body ends with
    /// a status instead.
    #[must_use = "a body does nothing unless polled"]
    pub struct ExceptionBody<B, C: LayerConfig = Unconfigured> {
        #[pin]
        kind: Kind<B, C::BodyContext>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B, X> {
        /// The body of the inner service.
        Service { #[pin] body: B, context: X },
        /// The body of a gRPC service, whose trailers are inspected.
        Grpc { #[pin] body: B, context: X },
        /// The body of a handler's response.
        Replied { body: RepliedBody, context: X },
        /// A body that few responses have.
        Rare { body: Box<RareBody<B>>, context: X },
        Rendered { bytes: Bytes },
        /// The last frame of a gRPC body that has failed.
        Final { frame: Box<FinalFrame> },
    }
}

impl<B, C: LayerConfig> ExceptionBody<B, C> {
    /// Guards the body of the inner service.
    #[inline]
    pub(crate) fn guard(body: B, context: C::BodyContext) -> Self {
        let kind = Kind::Service { body, context };
        Self { kind }
    }

    /// Guards the body of a response to a gRPC request, after `context` has seen its head.
    #[inline(never)]
    pub(crate) fn guard_grpc(body: B, context: C::BodyContext) -> Self {
        let kind = match context.status_encoding() {
            None => Kind::Service { body, context },
            Some(StatusEncoding::Trailers | StatusEncoding::Unsent) => Kind::Grpc { body, context },
            Some(encoding) => {
                let in_base64 = encoding == StatusEncoding::Base64Frame;
                let body = Box::new(RareBody::GrpcWeb(TrackedBody::new(body, in_base64)));
                Kind::Rare { body, context }
            }
        };
        Self { kind }
    }

    pub(crate) fn replay(body: ReplayedBody<B>, context: C::BodyContext) -> Self {
        let body = Box::new(RareBody::Replayed(body));
        let kind = Kind::Rare { body, context };
        Self { kind }
    }

    #[inline]
    pub(crate) fn answer(body: AnswerBody, context: C::BodyContext) -> Self {
        let kind = match body {
            AnswerBody::Rendered(bytes) => Kind::Rendered { bytes },
            AnswerBody::Replied(body) => Kind::Replied { body, context },
        };
        Self { kind }
    }
}

/// The empty body, for a response of another layer.
impl<B, C: LayerConfig> Default for ExceptionBody<B, C> {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

/// A body that is complete already.
impl<B, C: LayerConfig> From<Bytes> for ExceptionBody<B, C> {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        let kind = Kind::Rendered { bytes };
        Self { kind }
    }
}

type FramePoll = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

/// Polls a body that is not the inner service's own.
#[inline(never)]
fn poll_rare<B, X>(mut kind: Pin<&mut Kind<B, X>>, cx: &mut Context<'_>) -> FramePoll
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    X: BodyContext,
{
    match kind.as_mut().project() {
        KindProjection::Rendered { bytes } if !bytes.is_empty() => {
            Poll::Ready(Some(Ok(Frame::data(mem::take(bytes)))))
        }
        KindProjection::Replied { body, .. } => {
            let poll = |cx: &mut Context<'_>| Pin::new(body).poll_frame(cx);
            match catch_poll_salvaging(cx, poll, salvage_frame) {
                Ok(Poll::Ready(Some(Err(error)))) => fail(kind, Fault::Error(error), cx),
                Ok(poll) => poll.map_err(BodyError::new),
                Err(payload) => fail(kind, Fault::Payload(payload), cx),
            }
        }
        KindProjection::Rare { body, context } => {
            let poll = |cx: &mut Context<'_>| Pin::new(&mut **body).poll_frame(cx);
            match catch_poll_salvaging(cx, poll, salvage_frame) {
                Ok(Poll::Ready(Some(Err(error)))) => fail(kind, Fault::Error(error), cx),
                Ok(poll) => {
                    trailers::report_web(body, context);
                    poll.map_err(BodyError::new)
                }
                Err(payload) => fail(kind, Fault::Payload(payload), cx),
            }
        }
        KindProjection::Grpc { body, context } => {
            match catch_poll_salvaging(cx, |cx| body.poll_frame(cx), salvage_frame) {
                Ok(Poll::Ready(Some(Err(error)))) => fail(kind, Fault::of(error), cx),
                Ok(Poll::Ready(Some(Ok(frame)))) => match trailers::inspect(frame, context) {
                    Ok(frame) => Poll::Ready(Some(Ok(frame))),
                    Err(failed) => fail(kind, Fault::Error(failed.into()), cx),
                },
                Ok(poll) => poll.map_err(|error| BodyError::new(error.into())),
                Err(payload) => fail(kind, Fault::Payload(payload), cx),
            }
        }
        KindProjection::Final { frame } => {
            let last = ready!(frame.poll(cx));
            end(kind);
            Poll::Ready(Some(Ok(last)))
        }
        KindProjection::Rendered { .. } | KindProjection::Service { .. } => Poll::Ready(None),
    }
}

/// Ends a body that has failed: with a status if the client accepts one after the messages that
/// were sent, otherwise with an error.
#[cold]
#[inline(never)]
fn fail<B, X>(mut kind: Pin<&mut Kind<B, X>>, fault: Fault, cx: &mut Context<'_>) -> FramePoll
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    X: BodyContext,
{
    let (context, tracker) = match kind.as_mut().project() {
        KindProjection::Service { context, .. }
        | KindProjection::Grpc { context, .. }
        | KindProjection::Replied { context, .. } => (context, None),
        KindProjection::Rare { body, context } => (context, body.tracker()),
        KindProjection::Rendered { .. } | KindProjection::Final { .. } => {
            return Poll::Ready(None);
        }
    };
    let accepts_status = match context.status_encoding() {
        None | Some(StatusEncoding::Unsent) => false,
        Some(StatusEncoding::Trailers) => true,
        Some(StatusEncoding::Frame | StatusEncoding::Base64Frame) => {
            tracker.is_some_and(|tracker| tracker.may_end())
        }
    };
    let (failure, last) = match fault {
        Fault::Error(error) => {
            // Layers in between may have wrapped the error of an inner layer's body.
            let is_reported = catch_or(false, || sources(&*error).any(|it| it.is::<BodyError>()));
            let error = BodyError::new(error).into_inner();
            if !accepts_status {
                return Poll::Ready(Some(Err(BodyError::new(context.fail(error, is_reported)))));
            }
            (
                Failure::from_boxed(error, Mechanism::Returned, Phase::Body),
                None,
            )
        }
        Fault::Payload(mut payload) => {
            let last = take_salvaged::<Frame<Bytes>>(&mut *payload);
            (Failure::from_payload(payload, Phase::Body), last)
        }
    };
    if !accepts_status {
        let error = context.cut_short(failure);
        end(kind);
        return Poll::Ready(Some(Err(BodyError::new(error))));
    }
    let frame = Box::new(FinalFrame::new(context.trailers(failure), tracker));
    ignore_panic(|| kind.set(Kind::Final { frame }));
    match last {
        Some(frame) => Poll::Ready(Some(Ok(frame))),
        None => poll_rare(kind, cx),
    }
}

/// Ends a body: no frame follows.
fn end<B, X>(mut kind: Pin<&mut Kind<B, X>>) {
    let bytes = Bytes::new();
    ignore_panic(|| kind.set(Kind::Rendered { bytes }));
}

impl<B, C> Body for ExceptionBody<B, C>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    C: LayerConfig,
{
    type Data = Bytes;
    type Error = BodyError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut kind = self.project().kind;
        let KindProjection::Service { body, .. } = kind.as_mut().project() else {
            return poll_rare(kind, cx);
        };
        match catch_poll_salvaging(cx, |cx| body.poll_frame(cx), salvage_frame) {
            Ok(Poll::Ready(Some(Err(error)))) => fail(kind, Fault::of(error), cx),
            Ok(Poll::Ready(Some(Ok(frame)))) => Poll::Ready(Some(Ok(frame))),
            Ok(Poll::Ready(None)) => Poll::Ready(None),
            Ok(Poll::Pending) => Poll::Pending,
            Err(payload) => fail(kind, Fault::Payload(payload), cx),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.kind {
            // If it panics here, it panics again when it is polled, and is handled then.
            Kind::Service { body, .. } => catch_or(false, || body.is_end_stream()),
            // An arm of its own takes fewer instructions than one for both.
            Kind::Grpc { body, .. } => catch_or(false, || body.is_end_stream()),
            Kind::Replied { body, .. } => catch_or(false, || body.is_end_stream()),
            Kind::Rare { body, .. } => catch_or(false, || body.is_end_stream()),
            Kind::Rendered { bytes } => bytes.is_empty(),
            Kind::Final { .. } => false,
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Service { body, context } | Kind::Grpc { body, context } => {
                match context.status_encoding() {
                    None | Some(StatusEncoding::Unsent) => {
                        catch_or(SizeHint::default(), || body.size_hint())
                    }
                    // The body may end early, with trailers.
                    Some(_) => SizeHint::default(),
                }
            }
            Kind::Replied { body, .. } => catch_or(SizeHint::default(), || body.size_hint()),
            Kind::Rare { body, .. } => catch_or(SizeHint::default(), || body.size_hint()),
            // axum sets `content-length: 0` for a body of the exact length 0, even with a 204 and a
            // 304, which must not have that header (RFC 9110, section 8.6).
            Kind::Rendered { bytes } if bytes.is_empty() => SizeHint::default(),
            Kind::Rendered { bytes } => SizeHint::with_exact(bytes.len() as u64),
            Kind::Final { .. } => SizeHint::default(),
        }
    }
}

impl<B, C: LayerConfig> fmt::Debug for ExceptionBody<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExceptionBody").finish_non_exhaustive()
    }
}
