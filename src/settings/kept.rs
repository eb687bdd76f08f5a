//! What is kept of a request, and how it is answered.

use std::{
    any::Any,
    ops::ControlFlow::{self, Break, Continue},
    sync::Arc,
    thread,
};

use bytes::Bytes;
use http::{HeaderMap, Response, header::CONTENT_LENGTH, response::Parts};

use super::{
    AnswerBody, Config, Sending, custom::CustomExchange, trailers_of, upgrading::Upgrading,
};
use crate::{
    Answer, BoxError, Caught, Exception, How, HttpException, Place, RequestHead,
    grpc::{self, Carrier, Form, Trailers},
    handlers::{Erased, Reply, ReplyKind},
    interrupt::{catch, quietly},
    log,
    raise::slot::is_inside_a_scope,
    render::{Rendered, json},
    response::{attach, discard, into_http, plain_500, respond, respond_anew, without_body},
    thrown::Thrown,
};

/// What is kept of a request.
#[derive(Clone)]
pub struct Kept {
    pub(super) config: Arc<Config>,
    pub(super) request: RequestHead,
    pub(super) form: Form,
}

/// An answer, and what observers are told of it.
pub(super) type Made = (Response<AnswerBody>, Answer);

impl Kept {
    /// The handler for `thrown`. It is looked for along the error's sources, which are other people's code.
    pub(crate) fn handler(&self, thrown: &Thrown) -> Option<(Erased, usize)> {
        let mut found = None;
        quietly(|| {
            let handler = self.config.handlers.find(thrown);
            found = handler.map(|(handler, depth)| (Arc::clone(handler), depth));
        });
        found
    }

    /// The answer that no handler has made. It is provisional: an outer layer may still handle the
    /// exception, which is therefore attached.
    pub(super) fn respond(
        &self,
        thrown: Thrown,
        head: Option<Parts>,
        upgrading: &mut Upgrading,
    ) -> Made {
        let provisional = is_inside_a_scope().then(|| thrown.clone());
        let how = thrown.how;
        let mut exception = match self.to_render(thrown.into_exception(), upgrading) {
            Continue(exception) => exception,
            Break(closed) => return closed,
        };
        if let (Form::Grpc(_), How::Adopted) = (self.form, how) {
            exception = grpc::no_such_method(exception);
        }
        let render = |exception: &_| self.render(exception);
        let mut response = Response::new(AnswerBody::from(Bytes::new()));
        match head {
            None => respond(&mut response, &mut exception, render, self.form, false),
            Some(head) => {
                let text_is_lost = self.form == Form::Head && lost_its_text(how, &head);
                response = Response::from_parts(head, AnswerBody::from(Bytes::new()));
                respond_anew(&mut response, &exception, render, self.form);
                if text_is_lost {
                    response.headers_mut().remove(CONTENT_LENGTH);
                }
            }
        }
        if let Some(thrown) = provisional {
            attach(&mut response, thrown);
        }
        discard(exception);
        made(response)
    }

    pub(super) fn finish_reply(
        &self,
        caught: &Caught,
        reply: thread::Result<Reply>,
        upgrading: &mut Upgrading,
    ) -> Response<AnswerBody> {
        let response = reply.and_then(|reply| catch(|| self.reply(reply, upgrading)));
        self.finish(caught, response)
    }

    /// The response that a handler's reply is. It is final: nothing is attached.
    fn reply(&self, reply: Reply, upgrading: &mut Upgrading) -> Made {
        made(match reply.0 {
            ReplyKind::Exception(exception) => match self.to_render(Some(exception), upgrading) {
                Continue(exception) => self.reply_exception(exception),
                Break(closed) => return closed,
            },
            ReplyKind::Response(response) if self.is_foreign(&response) => {
                self.reply_exception(grpc::as_exception(response))
            }
            ReplyKind::Response(response) if self.form == Form::Head => without_body(response),
            ReplyKind::Response(response) => response.map(AnswerBody::Replied),
        })
    }

    /// The HTTP exception that goes out for `exception`, or, where that refuses a WebSocket, the answer to the
    /// handshake.
    fn to_render(
        &self,
        exception: Option<Exception>,
        upgrading: &mut Upgrading,
    ) -> ControlFlow<Made, HttpException> {
        let Some(Exception::WebSocket(exception)) = exception else {
            return Continue(into_http(exception));
        };
        let code = exception.code();
        match upgrading.refuse(exception, self) {
            Ok(response) => Break((response, Answer::Close(code))),
            Err(refusal) => Continue(refusal),
        }
    }

    fn reply_exception(&self, mut exception: HttpException) -> Response<AnswerBody> {
        let mut response = Response::new(AnswerBody::from(Bytes::new()));
        let render = |exception: &_| self.render(exception);
        respond(&mut response, &mut exception, render, self.form, false);
        discard(exception);
        response
    }

    /// Whether a handler's response is one that the client, which speaks gRPC, could not read.
    fn is_foreign<B>(&self, response: &Response<B>) -> bool {
        matches!(self.form, Form::Grpc(_)) && !grpc::is_for_grpc(response)
    }

    /// Tells everybody of the answer. Where it could not be made it is a plain 500, and they hear of what
    /// kept it from being made too.
    pub(super) fn finish(
        &self,
        caught: &Caught,
        response: thread::Result<Made>,
    ) -> Response<AnswerBody> {
        let (response, answer) =
            response.unwrap_or_else(|payload| made(self.not_answered(payload)));
        self.tell(caught, answer);
        response
    }

    /// The answer where none could be made, because of `payload`, of which observers hear too.
    pub(super) fn not_answered(&self, payload: Box<dyn Any + Send>) -> Response<AnswerBody> {
        let thrown = Thrown::from_payload(payload, Place::Answer);
        let response = plain_500(self.form);
        self.tell_of(thrown, Answer::by(&response));
        response
    }

    pub(crate) fn tell(&self, caught: &Caught, answer: Answer) {
        log::told(caught.thrown(), Some(&self.request), answer);
        self.config.observers.tell(caught, answer);
    }

    /// Tells everybody of `thrown`, which has no other use.
    pub(crate) fn tell_of(&self, thrown: Thrown, answer: Answer) {
        let caught = Caught::new(thrown, self.request.clone());
        self.tell(&caught, answer);
        quietly(|| drop(caught));
    }

    fn render(&self, exception: &HttpException) -> Rendered {
        match &self.config.renderer {
            Some(renderer) => renderer.render(exception, &self.request),
            None => json::render(exception),
        }
    }

    /// Whether a response that carries an exception has the form that this layer would give it.
    pub(super) fn is_rendered<B>(&self, response: &Response<B>) -> bool {
        match self.form {
            Form::Grpc(_) => grpc::is_status(response.headers()),
            Form::Full | Form::Head => {
                self.config.renderer.is_none() && !grpc::is_status(response.headers())
            }
        }
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn request(&self) -> &RequestHead {
        &self.request
    }
}

impl Sending for Kept {
    #[cold]
    fn cut_short(&self, thrown: Thrown) -> BoxError {
        self.tell_of(thrown.clone(), Answer::CutShort);
        thrown.into()
    }

    #[cold]
    fn failed(&self, error: BoxError) -> BoxError {
        self.cut_short(Thrown::from_error(error, Place::Body))
    }

    fn see(&mut self, head: &HeaderMap) {
        self.form = self.form.of_response(head);
    }

    #[inline]
    fn carrier(&self) -> Option<Carrier> {
        self.form.carrier()
    }

    #[cold]
    fn trailers(&self, thrown: Thrown) -> Trailers {
        trailers_of(CustomExchange::new(self.clone()), thrown)
    }
}

fn made(response: Response<AnswerBody>) -> Made {
    let answer = Answer::by(&response);
    (response, answer)
}

/// Whether what was adopted, for a `HEAD`, had a text once, which somebody further in took away. How long the
/// answer to a `GET` would be is then not known.
fn lost_its_text(how: How, head: &Parts) -> bool {
    let length = head.headers.get(CONTENT_LENGTH);
    how == How::Adopted && length.is_some_and(|length| length != "0")
}
