//! Reading a plain error response, to take it as an exception, and replaying it otherwise.

mod deadline;
mod replayed;
mod settings;

use std::{
    any::Any,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{Response, header::CONTENT_TYPE, response::Parts};
use http_body::{Body, Frame};

use self::deadline::Deadline;
pub(crate) use self::{
    replayed::ReplayedBody,
    settings::{Adoption, Candidate},
};
use crate::{
    error::BoxError,
    exception::HttpException,
    headers::{declared_length, remove_representation},
    raise::poll::catch_poll,
    unwind::ignore_panic,
};

/// Number of frames that one poll reads before it lets other tasks run. A text has a few frames.
const MAX_FRAMES_PER_POLL: usize = 32;

/// An error response whose body is being read.
pub struct AdoptingResponse<B> {
    /// `None` after the body was read.
    response: Option<Response<Pin<Box<B>>>>,
    text: BytesMut,
    candidate: Candidate,
    shows_server_errors: bool,
    deadline: Deadline,
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
    /// Whether the body is empty although the head describes one. If the request is a `HEAD`, the
    /// response to a `GET` may have a text.
    pub(crate) may_lack_text: bool,
}

impl<B> AdoptingResponse<B> {
    /// Begins to read a response.
    pub(crate) fn new(response: Response<B>, candidate: Candidate, settings: &Adoption) -> Self {
        Self {
            response: Some(response.map(Box::pin)),
            text: BytesMut::new(),
            candidate,
            shows_server_errors: settings.shows_server_errors,
            deadline: Deadline::new(settings.within),
        }
    }

    /// Returns the exception that the response would have been taken as, with the text that was
    /// read.
    pub(crate) fn into_exception(self) -> Option<HttpException> {
        let (head, body) = self.response?.into_parts();
        ignore_panic(|| drop(body));
        let text = String::from_utf8_lossy(&self.text);
        Some(Adopted::new(head, &text, self.shows_server_errors).exception)
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> AdoptingResponse<B> {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ReadResponse<B>> {
        let Some(mut response) = self.response.take() else {
            panic!("an error response was read after its end");
        };
        for _ in 0..MAX_FRAMES_PER_POLL {
            let body = response.body_mut().as_mut();
            // The conversion of an error is user code too.
            let poll = |cx: &mut Context<'_>| body.poll_frame(cx).map_err(Into::into);
            let frame = match catch_poll(cx, poll) {
                Ok(Poll::Ready(frame)) => frame,
                Ok(Poll::Pending) => return self.wait(response, cx),
                Err(payload) => {
                    // Each is user code. If both panicked in one drop, the process would abort.
                    let (head, body) = response.into_parts();
                    ignore_panic(|| drop(body));
                    ignore_panic(|| drop(head));
                    return Poll::Ready(ReadResponse::Unwound(payload));
                }
            };
            let stopped_at = match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) if self.text.len() + data.len() <= self.candidate.max_bytes => {
                    self.text.extend_from_slice(&data);
                    if self.candidate.may_begin_with(&self.text) {
                        continue;
                    }
                    return Poll::Ready(self.pass(response));
                }
                Some(Ok(Ok(data))) => Some(Ok(Frame::data(data))),
                Some(Ok(Err(trailers))) => Some(Ok(trailers)),
                Some(Err(error)) => Some(Err(error)),
                None => None,
            };
            return Poll::Ready(self.finish(response, stopped_at));
        }
        cx.waker().wake_by_ref();
        self.wait(response, cx)
    }

    /// Waits for the next frame. If the time is over, the response passes as it is.
    fn wait(
        &mut self,
        response: Response<Pin<Box<B>>>,
        cx: &mut Context<'_>,
    ) -> Poll<ReadResponse<B>> {
        if self.deadline.poll_elapsed(cx) {
            return Poll::Ready(self.pass(response));
        }
        self.response = Some(response);
        Poll::Pending
    }

    /// Ends the reading at a frame, an error, or the end of the body.
    fn finish(
        &mut self,
        response: Response<Pin<Box<B>>>,
        stopped_at: Option<Result<Frame<Bytes>, BoxError>>,
    ) -> ReadResponse<B> {
        let is_at_end = stopped_at.is_none();
        if is_at_end {
            if let Ok(text) = std::str::from_utf8(&self.text) {
                let (head, body) = response.into_parts();
                ignore_panic(|| drop(body));
                return ReadResponse::Text(Adopted::new(head, text, self.shows_server_errors));
            }
        }
        let has_rest = matches!(stopped_at, Some(Ok(_)));
        let read = self.take_text();
        ReadResponse::Other(response.map(|body| ReplayedBody {
            front: read.into_iter().chain(stopped_at).collect(),
            rest: has_rest.then_some(body),
        }))
    }

    /// Ends the reading before the body has ended. What was read is sent first.
    fn pass(&mut self, response: Response<Pin<Box<B>>>) -> ReadResponse<B> {
        let read = self.take_text();
        ReadResponse::Other(response.map(|body| ReplayedBody {
            front: read.into_iter().collect(),
            rest: Some(body),
        }))
    }

    fn take_text(&mut self) -> Option<Result<Frame<Bytes>, BoxError>> {
        let text = mem::take(&mut self.text).freeze();
        (!text.is_empty()).then(|| Ok(Frame::data(text)))
    }
}

impl Adopted {
    fn new(mut head: Parts, text: &str, shows_server_errors: bool) -> Self {
        let mut exception = HttpException::new(head.status);
        let may_lack_text = text.is_empty()
            && match declared_length(&head.headers) {
                Some(length) => length != 0,
                // Routers respond to an unknown route without a type, a length and a body.
                None => head.headers.contains_key(CONTENT_TYPE),
            };
        if head.status.is_server_error() && !shows_server_errors {
            if !text.is_empty() {
                exception = exception.with_source(text);
            }
        } else if !text.is_empty() {
            exception = exception.with_detail(text.to_owned());
        }
        remove_representation(&mut head.headers, head.status);
        *exception.headers_mut() = head.headers.clone();
        Self {
            exception,
            head,
            may_lack_text,
        }
    }
}
