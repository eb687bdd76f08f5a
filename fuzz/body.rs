//! A response body of any frames, which ends in any way.

use std::{
    collections::VecDeque,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tower::BoxError;
use tower_exception::HttpException;

use crate::panics;

/// A response body of any frames, which ends in any way.
#[derive(Clone, Debug)]
pub struct ScriptedBody {
    pub parts: VecDeque<Part>,
    pub end: End,
    /// Exception of an end that has one.
    pub exception: HttpException,
    /// Length that the body declares.
    pub length: Option<u64>,
}

/// One poll of a body that has not ended.
#[derive(Clone, Debug)]
pub enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
    /// No frame is ready.
    Wait,
}

/// The end of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Whole,
    /// An error that is no exception.
    Error,
    Exception,
    Raise,
    RaiseAsync,
    /// Raises in the poll that returns the last frame.
    RaiseWithFrame,
    Panic,
}

pub const ENDS: [End; 7] = [
    End::Whole,
    End::Error,
    End::Exception,
    End::Raise,
    End::RaiseAsync,
    End::RaiseWithFrame,
    End::Panic,
];

impl End {
    /// Returns whether the body fails with its exception.
    pub fn has_exception(self) -> bool {
        !matches!(self, Self::Whole | Self::Error | Self::Panic)
    }
}

impl ScriptedBody {
    /// Returns the data of all frames.
    pub fn data(&self) -> Vec<u8> {
        let data = self.parts.iter().filter_map(|part| match part {
            Part::Data(data) => Some(&data[..]),
            Part::Trailers(_) | Part::Wait => None,
        });
        data.collect::<Vec<_>>().concat()
    }

    fn raise_pending(&self, cx: &mut Context<'_>) {
        let raise = pin!(self.exception.clone().raise_async::<()>());
        assert!(raise.poll(cx).is_pending());
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match self.parts.pop_front() {
            Some(Part::Data(data)) => Frame::data(data),
            Some(Part::Trailers(trailers)) => Frame::trailers(trailers),
            Some(Part::Wait) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            None => {
                return match self.end {
                    End::Whole => Poll::Ready(None),
                    End::Error => Poll::Ready(Some(Err(io::Error::other("broken").into()))),
                    End::Exception => Poll::Ready(Some(Err(self.exception.clone().into()))),
                    End::Raise => self.exception.clone().raise(),
                    End::RaiseAsync | End::RaiseWithFrame => {
                        self.raise_pending(cx);
                        Poll::Pending
                    }
                    End::Panic => panics::expected(),
                };
            }
        };
        if self.end == End::RaiseWithFrame && self.parts.is_empty() {
            self.raise_pending(cx);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty() && self.end == End::Whole
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or(SizeHint::new(), SizeHint::with_exact)
    }
}

/// A body as a client receives it.
#[derive(Debug, Default)]
pub struct Received {
    pub data: Vec<u8>,
    pub trailers: Option<HeaderMap>,
    /// Whether the body has ended without an error.
    pub is_whole: bool,
}

impl Received {
    pub async fn of<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let mut body = pin!(body);
        let mut received = Self::default();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return received;
            };
            // Nothing may follow trailers.
            assert!(received.trailers.is_none(), "a frame after trailers");
            match frame.into_data() {
                Ok(data) => received.data.extend(data),
                Err(frame) => received.trailers = frame.into_trailers().ok(),
            }
        }
        received.is_whole = true;
        received
    }
}
