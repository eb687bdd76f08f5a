//! Reading an error response that may be adopted.

use std::{
    any::Any,
    collections::VecDeque,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue, Response,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
    response::Parts,
};
use http_body::{Body, Frame, SizeHint};

use crate::{BoxError, HttpException, interrupt::catch_poll, response::DESCRIBE_BODY};

/// An error response whose body is being read.
pub struct Adopting<B> {
    /// `None` once it is read.
    response: Option<Response<Pin<Box<B>>>>,
    text: BytesMut,
    limit: usize,
}

/// What came of reading it.
pub enum Read<B> {
    /// It was text, to its end.
    Text(Adopted),
    /// It goes out as it was.
    Other(Response<Replay<B>>),
    /// The body raised something. The head is not out yet, so that this can be answered.
    Raised(Box<dyn Any + Send>),
}

/// An error response, and the exception that it is taken for.
pub struct Adopted {
    pub(crate) exception: HttpException,
    pub(crate) head: Parts,
}

impl<B> Adopting<B> {
    pub(crate) fn new(response: Response<B>, limit: usize) -> Self {
        Self {
            response: Some(response.map(Box::pin)),
            text: BytesMut::new(),
            limit,
        }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Adopting<B> {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Read<B>> {
        let Some(mut response) = self.response.take() else {
            panic!("an error response was read after its end");
        };
        loop {
            let body = response.body_mut().as_mut();
            let frame = match catch_poll(cx, |cx| body.poll_frame(cx)) {
                Ok(Poll::Ready(frame)) => frame,
                Ok(Poll::Pending) => {
                    self.response = Some(response);
                    return Poll::Pending;
                }
                Err(payload) => return Poll::Ready(Read::Raised(payload)),
            };
            let stopped_at = match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) if self.text.len() + data.len() <= self.limit => {
                    self.text.extend_from_slice(&data);
                    continue;
                }
                Some(Ok(Ok(data))) => Some(Ok(Frame::data(data))),
                Some(Ok(Err(trailers))) => Some(Ok(trailers)),
                Some(Err(error)) => Some(Err(error.into())),
                None => None,
            };
            return Poll::Ready(self.end(response, stopped_at));
        }
    }

    fn end(
        &mut self,
        response: Response<Pin<Box<B>>>,
        stopped_at: Option<Result<Frame<Bytes>, BoxError>>,
    ) -> Read<B> {
        let text = mem::take(&mut self.text).freeze();
        if stopped_at.is_none() {
            if let Ok(text) = std::str::from_utf8(&text) {
                let (head, _) = response.into_parts();
                return Read::Text(Adopted::new(head, text));
            }
        }
        let rest_is_over = !matches!(stopped_at, Some(Ok(_)));
        let read = (!text.is_empty()).then(|| Ok(Frame::data(text)));
        Read::Other(response.map(|body| Replay {
            front: read.into_iter().chain(stopped_at).collect(),
            rest: (!rest_is_over).then_some(body),
        }))
    }
}

impl Adopted {
    fn new(head: Parts, text: &str) -> Self {
        let mut exception = HttpException::new(head.status);
        if !text.is_empty() {
            exception = exception.with_detail(text.to_owned());
        }
        *exception.headers_mut() = head.headers.clone();
        for name in &DESCRIBE_BODY {
            exception.headers_mut().remove(name);
        }
        Self { exception, head }
    }
}

/// Whether a response is a plain error response, as far as its head tells: an error status, and a body that
/// is text or that is not there. A compressed text is not to be read.
pub(crate) fn may_be_adopted<B: Body>(response: &Response<B>) -> bool {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return false;
    }
    let headers = response.headers();
    match headers.get(CONTENT_TYPE) {
        Some(content_type) => {
            is_text_plain(content_type) && !headers.contains_key(CONTENT_ENCODING)
        }
        None => response.body().size_hint().exact() == Some(0),
    }
}

fn is_text_plain(content_type: &HeaderValue) -> bool {
    let essence = content_type.as_bytes().split(|byte| *byte == b';').next();
    essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(b"text/plain"))
}

/// A body of which something was read already.
pub struct Replay<B> {
    front: VecDeque<Result<Frame<Bytes>, BoxError>>,
    /// `None` where its end was read.
    rest: Option<Pin<Box<B>>>,
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for Replay<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(frame) = self.front.pop_front() {
            return Poll::Ready(Some(frame));
        }
        match &mut self.rest {
            Some(rest) => Poll::Ready(
                ready!(rest.as_mut().poll_frame(cx)).map(|frame| frame.map_err(Into::into)),
            ),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.front.is_empty() && self.rest.as_ref().is_none_or(|rest| rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.front.iter().flatten().filter_map(Frame::data_ref);
        let read: u64 = read.map(|data| data.len() as u64).sum();
        let rest = self.rest.as_ref().map(|rest| rest.size_hint());
        let rest = rest.unwrap_or_else(|| SizeHint::with_exact(0));
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + read);
        }
        hint
    }
}
