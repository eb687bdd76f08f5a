//! Reading a plain error response, to take it as an exception, and replaying it otherwise.

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

use crate::{
    error::BoxError,
    exception::HttpException,
    headers::{REPRESENTATION, remove_all},
    raise::poll::catch_poll,
};

/// Default limit of the text that is adopted: more than any error text in practice, and little
/// enough to hold in memory.
pub(crate) const DEFAULT_ADOPTED_TEXT_BYTES: usize = 64 * 1024;

/// An error response whose body is being read.
pub struct AdoptingResponse<B> {
    /// `None` after the body was read.
    response: Option<Response<Pin<Box<B>>>>,
    text: BytesMut,
    limit: usize,
}

/// Result of reading an error response.
pub(crate) enum ReadResponse<B> {
    /// The body was text, and has been read to its end.
    Text(Adopted),
    /// The response is to be sent as it was.
    Other(Response<ReplayedBody<B>>),
    /// The body unwound or raised. The response's head is not out, so that the failure can be
    /// handled.
    Unwound(Box<dyn Any + Send>),
}

/// An error response, and the exception that it is taken as.
pub struct Adopted {
    pub(crate) exception: HttpException,
    pub(crate) head: Parts,
}

impl<B> AdoptingResponse<B> {
    pub(crate) fn new(response: Response<B>, limit: usize) -> Self {
        Self {
            response: Some(response.map(Box::pin)),
            text: BytesMut::new(),
            limit,
        }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> AdoptingResponse<B> {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ReadResponse<B>> {
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
                Err(payload) => return Poll::Ready(ReadResponse::Unwound(payload)),
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
            return Poll::Ready(self.finish(response, stopped_at));
        }
    }

    fn finish(
        &mut self,
        response: Response<Pin<Box<B>>>,
        stopped_at: Option<Result<Frame<Bytes>, BoxError>>,
    ) -> ReadResponse<B> {
        let text = mem::take(&mut self.text).freeze();
        if stopped_at.is_none() {
            if let Ok(text) = std::str::from_utf8(&text) {
                let (head, _) = response.into_parts();
                return ReadResponse::Text(Adopted::new(head, text));
            }
        }
        let is_rest_over = !matches!(stopped_at, Some(Ok(_)));
        let read = (!text.is_empty()).then(|| Ok(Frame::data(text)));
        ReadResponse::Other(response.map(|body| ReplayedBody {
            front: read.into_iter().chain(stopped_at).collect(),
            rest: (!is_rest_over).then_some(body),
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
        remove_all(exception.headers_mut(), &REPRESENTATION);
        Self { exception, head }
    }
}

/// Returns whether the head of a response is that of a plain error response: an error status, and a
/// body that is text or empty. A compressed text cannot be read.
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

/// A body of which some frames have been read already.
pub(crate) struct ReplayedBody<B> {
    front: VecDeque<Result<Frame<Bytes>, BoxError>>,
    /// `None` after the end of the body was read.
    rest: Option<Pin<Box<B>>>,
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for ReplayedBody<B> {
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
