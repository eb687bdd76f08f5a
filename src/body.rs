use std::{
    any::Any,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use pin_project_lite::pin_project;

use crate::{
    BoxError, Place,
    adopt::Replay,
    grpc::{Carrier, Ending, Sent, WebBody},
    interrupt::{catch_or, catch_poll_keeping, quietly, take_beside},
    settings::{AnswerBody, PlainSending, Sending},
    thrown::Thrown,
};

pin_project! {
    /// The body of the responses of [`ExceptionService`](crate::ExceptionService): the answer to an
    /// exception, or the inner service's body under a guard.
    ///
    /// When an inner body raises or panics, the head of the response is out, and no answer can be
    /// given any more. The body then ends with an error, so that nobody takes a half for the whole:
    /// over HTTP/1.1 the server cuts the connection, over HTTP/2 it resets the stream. gRPC has its status
    /// behind the messages, so there it ends with that.
    pub struct ExceptionBody<B, X = PlainSending> {
        #[pin]
        kind: Kind<B, X>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B, X> {
        Inner { #[pin] body: B, sending: X },
        Other { other: Box<Other<B>>, sending: X },
        Rendered { bytes: Bytes },
        Ending { ending: Box<Ending> },
    }
}

/// A body that only few responses have.
enum Other<B> {
    Replay(Replay<B>),
    Replied(UnsyncBoxBody<Bytes, BoxError>),
    Web(WebBody<B>),
}

impl<B, X> ExceptionBody<B, X> {
    #[inline]
    pub(crate) fn guard(body: B, sending: X) -> Self {
        let kind = Kind::Inner { body, sending };
        Self { kind }
    }

    /// The same for the response to a gRPC request, whose head was seen.
    #[inline(never)]
    pub(crate) fn guard_grpc(body: B, sending: X) -> Self
    where
        X: Sending,
    {
        let kind = match sending.carrier() {
            None | Some(Carrier::Trailers) => Kind::Inner { body, sending },
            Some(carrier) => {
                let in_base64 = carrier == Carrier::Base64Frame;
                let other = Box::new(Other::Web(WebBody::new(body, in_base64)));
                Kind::Other { other, sending }
            }
        };
        Self { kind }
    }

    pub(crate) fn replay(replay: Replay<B>, sending: X) -> Self {
        let other = Box::new(Other::Replay(replay));
        let kind = Kind::Other { other, sending };
        Self { kind }
    }

    pub(crate) fn answer(body: AnswerBody, sending: X) -> Self {
        let kind = match body {
            AnswerBody::Rendered(bytes) => Kind::Rendered { bytes },
            AnswerBody::Replied(body) => Kind::Other {
                other: Box::new(Other::Replied(body)),
                sending,
            },
        };
        Self { kind }
    }
}

impl<B> Other<B> {
    fn sent(&self) -> Option<Sent> {
        match self {
            Self::Web(body) => Some(body.sent()),
            Self::Replay(_) | Self::Replied(_) => None,
        }
    }
}

impl<B> Body for Other<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Replay(body) => Pin::new(body).poll_frame(cx),
            Self::Replied(body) => Pin::new(body).poll_frame(cx),
            Self::Web(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Replay(body) => body.is_end_stream(),
            Self::Replied(body) => body.is_end_stream(),
            Self::Web(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Replay(body) => body.size_hint(),
            Self::Replied(body) => body.size_hint(),
            Self::Web(body) => body.size_hint(),
        }
    }
}

/// An empty body, which other layers answer with.
impl<B, X> Default for ExceptionBody<B, X> {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

/// A body that is there as a whole.
impl<B, X> From<Bytes> for ExceptionBody<B, X> {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        let kind = Kind::Rendered { bytes };
        Self { kind }
    }
}

/// One poll of a body that is not the inner service's as it was.
#[inline(never)]
fn poll_answer<B, X>(mut kind: Pin<&mut Kind<B, X>>, cx: &mut Context<'_>) -> FramePoll
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    X: Sending,
{
    match kind.as_mut().project() {
        KindProjection::Rendered { bytes } if !bytes.is_empty() => {
            Poll::Ready(Some(Ok(Frame::data(mem::take(bytes)))))
        }
        KindProjection::Other { other, .. } => {
            let poll = |cx: &mut Context<'_>| Pin::new(&mut **other).poll_frame(cx);
            match catch_poll_keeping(cx, poll, keep_frame) {
                Ok(Poll::Ready(Some(Err(error)))) => fail(kind, Failure::Error(error), cx),
                Ok(poll) => poll,
                Err(payload) => fail(kind, Failure::Payload(payload), cx),
            }
        }
        KindProjection::Ending { ending } => {
            let last = ready!(ending.poll(cx));
            end(kind);
            Poll::Ready(Some(Ok(last)))
        }
        KindProjection::Rendered { .. } | KindProjection::Inner { .. } => Poll::Ready(None),
    }
}

/// What went wrong in a body.
enum Failure {
    Error(BoxError),
    Payload(Payload),
}

/// A body may give a frame beside raising without unwinding: what it had gathered before. That still goes out.
#[cold]
fn keep_frame<E>(poll: Poll<Option<Result<Frame<Bytes>, E>>>) -> Option<Payload> {
    match poll {
        Poll::Ready(Some(Ok(frame))) => Some(Box::new(frame)),
        Poll::Ready(_) | Poll::Pending => None,
    }
}

/// Ends a body that has failed: with a status where the client takes one behind what it has got, and else with
/// an error.
#[cold]
#[inline(never)]
fn fail<B, X>(mut kind: Pin<&mut Kind<B, X>>, failure: Failure, cx: &mut Context<'_>) -> FramePoll
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    X: Sending,
{
    let (sending, sent) = match kind.as_mut().project() {
        KindProjection::Inner { sending, .. } => (sending, None),
        KindProjection::Other { other, sending } => (sending, other.sent()),
        KindProjection::Rendered { .. } | KindProjection::Ending { .. } => {
            return Poll::Ready(None);
        }
    };
    let takes_status = match sending.carrier() {
        None => false,
        Some(Carrier::Trailers) => true,
        Some(Carrier::Frame | Carrier::Base64Frame) => sent.is_some_and(|sent| sent.may_end()),
    };
    let (thrown, last) = match failure {
        Failure::Error(error) if !takes_status => {
            return Poll::Ready(Some(Err(sending.failed(error))));
        }
        Failure::Error(error) => (Thrown::from_error(error, Place::Body), None),
        Failure::Payload(mut payload) => {
            let last = take_beside::<Frame<Bytes>>(&mut *payload);
            (Thrown::from_payload(payload, Place::Body), last)
        }
    };
    if !takes_status {
        let error = sending.cut_short(thrown);
        end(kind);
        return Poll::Ready(Some(Err(error)));
    }
    let ending = Box::new(Ending::new(sending.trailers(thrown), sent));
    quietly(|| kind.set(Kind::Ending { ending }));
    match last {
        Some(frame) => Poll::Ready(Some(Ok(frame))),
        None => poll_answer(kind, cx),
    }
}

/// Nothing comes any more.
fn end<B, X>(mut kind: Pin<&mut Kind<B, X>>) {
    let bytes = Bytes::new();
    quietly(|| kind.set(Kind::Rendered { bytes }));
}

type FramePoll = Poll<Option<Result<Frame<Bytes>, BoxError>>>;
type Payload = Box<dyn Any + Send>;

impl<B, X> Body for ExceptionBody<B, X>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    X: Sending,
{
    type Data = Bytes;
    type Error = BoxError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut kind = self.project().kind;
        let KindProjection::Inner { body, .. } = kind.as_mut().project() else {
            return poll_answer(kind, cx);
        };
        match catch_poll_keeping(cx, |cx| body.poll_frame(cx), keep_frame) {
            Ok(Poll::Ready(Some(Err(error)))) => fail(kind, Failure::Error(error.into()), cx),
            Ok(poll) => poll.map_err(Into::into),
            Err(payload) => fail(kind, Failure::Payload(payload), cx),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.kind {
            // What it raises here it will raise again when it is polled.
            Kind::Inner { body, .. } => catch_or(false, || body.is_end_stream()),
            Kind::Other { other, .. } => catch_or(false, || other.is_end_stream()),
            Kind::Rendered { bytes } => bytes.is_empty(),
            Kind::Ending { .. } => false,
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body, sending } => match sending.carrier() {
                None => catch_or(SizeHint::default(), || body.size_hint()),
                // Trailers may come behind less than that.
                Some(_) => SizeHint::default(),
            },
            Kind::Other { other, .. } => catch_or(SizeHint::default(), || other.size_hint()),
            // axum writes `content-length: 0` for a body that is known to be empty, also with a 204 and a
            // 304, which must not have one (RFC 9110, section 8.6).
            Kind::Rendered { bytes } if bytes.is_empty() => SizeHint::default(),
            Kind::Rendered { bytes } => SizeHint::with_exact(bytes.len() as u64),
            Kind::Ending { .. } => SizeHint::default(),
        }
    }
}

impl<B, X> fmt::Debug for ExceptionBody<B, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExceptionBody").finish_non_exhaustive()
    }
}
