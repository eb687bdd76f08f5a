use std::{
    any::Any,
    future::Future,
    ops::ControlFlow::{self, Break, Continue},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    response::Parts,
};
use http_body::Body;

use super::{
    AnswerBody, Answered, Exchange, Look, OVER, Sending, Settings, trailers_of,
    upgrading::Upgrading,
};
#[cfg(feature = "websocket")]
use crate::websocket::UpgradeSettings;
use crate::{
    Answer, BoxError, Caught, Exception, ExceptionBody, How, HttpException, Place, RequestHead,
    adopt::{Adopted, Adopting},
    grpc::{self, Carrier, Form, Trailers},
    handlers::{Erased, Handled, Handlers, Reply, ReplyKind},
    interrupt::{catch, catch_poll, quietly},
    log,
    observe::Observers,
    raise::slot::is_inside_a_scope,
    render::{Render, Rendered, json},
    response::{
        attach, detach, discard, has_attached, into_http, plain_500, respond, respond_anew,
        without_body,
    },
    thrown::Thrown,
};

/// The settings of a layer that was told anything, such as a handler or its renderer.
#[derive(Clone, Default)]
pub struct Custom(pub(crate) Arc<Config>);

#[derive(Clone, Default)]
pub(crate) struct Config {
    pub(crate) handlers: Handlers,
    pub(crate) observers: Observers,
    pub(crate) renderer: Option<Arc<dyn Render>>,
    /// The longest text that is adopted, in bytes.
    pub(crate) adopt: Option<usize>,
    pub(crate) capture_headers: bool,
    #[cfg(feature = "websocket")]
    pub(crate) upgrades: Option<UpgradeSettings>,
}

pub struct CustomExchange {
    /// `None` once the head of the response is out.
    kept: Option<Kept>,
    /// The async handler that is at work.
    handling: Option<Handling>,
    upgrading: Upgrading,
}

/// What is kept of a request.
#[derive(Clone)]
pub struct Kept {
    pub(super) config: Arc<Config>,
    request: RequestHead,
    form: Form,
}

/// An answer, and what observers are told of it.
type Told = (Response<AnswerBody>, Answer);

struct Handling {
    caught: Caught,
    reply: Pin<Box<dyn Future<Output = Reply> + Send>>,
}

impl Settings for Custom {
    type Exchange = CustomExchange;

    #[inline]
    fn exchange<B>(&self, request: &mut Request<B>) -> CustomExchange {
        let kept = Kept {
            config: Arc::clone(&self.0),
            request: RequestHead::of(request, self.0.capture_headers),
            form: Form::of(request),
        };
        CustomExchange {
            upgrading: Upgrading::begin(request, &kept),
            kept: Some(kept),
            handling: None,
        }
    }

    fn into_custom(self) -> Custom {
        self
    }
}

impl Exchange for CustomExchange {
    type Sending = Kept;

    #[inline]
    fn looks(&self) -> bool {
        true
    }

    fn look<B: Body<Data = Bytes>>(
        &mut self,
        response: Response<B>,
        cx: &mut Context<'_>,
    ) -> Look<B, Self> {
        if has_attached(&response) {
            return self.look_at_attached(response, cx);
        }
        match self.kept().config.adopt {
            Some(limit) if may_be_adopted(&response) => Look::Adopt(Adopting::new(response, limit)),
            _ => {
                self.upgrading.answered(&response);
                Look::Pass(response)
            }
        }
    }

    #[cold]
    fn answer<B>(&mut self, thrown: Thrown, cx: &mut Context<'_>) -> Answered<B, Self> {
        let handler = self.kept().handler(&thrown);
        self.answer_by(handler, thrown, None, cx)
    }

    #[cold]
    fn answer_adopted<B>(&mut self, adopted: Adopted, cx: &mut Context<'_>) -> Answered<B, Self> {
        let thrown = Thrown::exception(adopted.exception, How::Adopted, Place::Future);
        let handler = self.kept().handler(&thrown);
        self.answer_by(handler, thrown, Some(adopted.head), cx)
    }

    #[cold]
    fn poll<B>(&mut self, cx: &mut Context<'_>) -> Answered<B, Self> {
        let Some(Handling { caught, reply }) = &mut self.handling else {
            panic!("{OVER}");
        };
        let reply = match catch_poll(cx, |cx| reply.as_mut().poll(cx)) {
            Ok(reply) => Ok(ready!(reply)),
            Err(payload) => Err(payload),
        };
        let caught: Caught = caught.at(0);
        quietly(|| self.handling = None);
        let (kept, upgrading) = self.split();
        let response = kept.finish_reply(&caught, reply, upgrading);
        quietly(|| drop(caught));
        self.give(response)
    }

    #[inline]
    fn end(&mut self) -> Kept {
        match self.kept.take() {
            Some(kept) => kept,
            None => panic!("{OVER}"),
        }
    }
}

impl CustomExchange {
    fn kept(&self) -> &Kept {
        match &self.kept {
            Some(kept) => kept,
            None => panic!("{OVER}"),
        }
    }

    fn split(&mut self) -> (&Kept, &mut Upgrading) {
        match &self.kept {
            Some(kept) => (kept, &mut self.upgrading),
            None => panic!("{OVER}"),
        }
    }

    #[cold]
    fn look_at_attached<B: Body>(
        &mut self,
        mut response: Response<B>,
        cx: &mut Context<'_>,
    ) -> Look<B, Self> {
        let Some(thrown) = detach(&mut response) else {
            return Look::Pass(response);
        };
        let kept = self.kept();
        let handler = kept.handler(&thrown);
        let refuses_upgrade = self.upgrading.is_under_way()
            && matches!(thrown.as_exception(), Some(Exception::WebSocket(_)));
        if handler.is_some() || !kept.is_rendered(&response) || refuses_upgrade {
            let (head, body) = response.into_parts();
            quietly(|| drop(body));
            // It is no head for the answer to a handshake, and there is nothing in that of a gRPC status that
            // another client would read.
            let is_grpc = matches!(kept.form, Form::Grpc(_));
            let keeps_head = !refuses_upgrade && (is_grpc || !grpc::is_status(&head.headers));
            let head = keeps_head.then_some(head);
            return Look::Answer(self.answer_by(handler, thrown, head, cx));
        }
        // It is rendered already, and an outer layer may still handle it.
        let caught = Caught::new(thrown.clone(), kept.request.clone());
        kept.tell(&caught, Answer::by(&response));
        quietly(|| drop(caught));
        attach(&mut response, thrown);
        match kept.form {
            Form::Head => Look::Answer(Poll::Ready(Ok(without_body(response)))),
            Form::Full | Form::Grpc(_) => Look::Pass(response),
        }
    }

    /// Answers `thrown`, which came with a response whose head is `head`, if it came with one.
    fn answer_by<B>(
        &mut self,
        handler: Option<(Erased, usize)>,
        thrown: Thrown,
        head: Option<Parts>,
        cx: &mut Context<'_>,
    ) -> Answered<B, Self> {
        let (kept, upgrading) = self.split();
        let is_told_of = !kept.config.observers.is_empty() || upgrading.is_under_way();
        if handler.is_none() && !is_told_of {
            log::answering(&thrown, Some(&kept.request), kept.form);
            let response = match catch(|| kept.respond(thrown, head, upgrading)) {
                Ok((response, _)) => response,
                Err(payload) => kept.not_answered(payload),
            };
            return self.give(response);
        }
        let caught = Caught::new(thrown, kept.request.clone());
        let response = match handler {
            None => {
                let response = catch(|| kept.respond(caught.thrown().clone(), head, upgrading));
                kept.finish(&caught, response)
            }
            Some((handler, depth)) => match catch(|| handler(&caught, depth)) {
                Ok(Handled::Now(reply)) => kept.finish_reply(&caught, Ok(reply), upgrading),
                Err(payload) => kept.finish_reply(&caught, Err(payload), upgrading),
                Ok(Handled::Later(reply)) => {
                    self.handling = Some(Handling { caught, reply });
                    return self.poll(cx);
                }
            },
        };
        quietly(|| drop(caught));
        self.give(response)
    }

    fn give<B>(&mut self, response: Response<AnswerBody>) -> Answered<B, Self> {
        let mut sending = self.end();
        sending.see(response.headers());
        let response = response.map(|body| ExceptionBody::answer(body, sending));
        Poll::Ready(Ok(response))
    }
}

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
    fn respond(&self, thrown: Thrown, head: Option<Parts>, upgrading: &mut Upgrading) -> Told {
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
        told(response)
    }

    fn finish_reply(
        &self,
        caught: &Caught,
        reply: thread::Result<Reply>,
        upgrading: &mut Upgrading,
    ) -> Response<AnswerBody> {
        let response = reply.and_then(|reply| catch(|| self.reply(reply, upgrading)));
        self.finish(caught, response)
    }

    /// The response that a handler's reply is. It is final: nothing is attached.
    fn reply(&self, reply: Reply, upgrading: &mut Upgrading) -> Told {
        told(match reply.0 {
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
    ) -> ControlFlow<Told, HttpException> {
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
    fn finish(&self, caught: &Caught, response: thread::Result<Told>) -> Response<AnswerBody> {
        let (response, answer) =
            response.unwrap_or_else(|payload| told(self.not_answered(payload)));
        self.tell(caught, answer);
        response
    }

    /// The answer where none could be made, because of `payload`, of which observers hear too.
    fn not_answered(&self, payload: Box<dyn Any + Send>) -> Response<AnswerBody> {
        let thrown = Thrown::from_payload(payload, Place::Answer);
        let caught = Caught::new(thrown, self.request.clone());
        let response = plain_500(self.form);
        self.tell(&caught, Answer::by(&response));
        quietly(|| drop(caught));
        response
    }

    pub(crate) fn tell(&self, caught: &Caught, answer: Answer) {
        log::told(caught.thrown(), Some(&self.request), answer);
        self.config.observers.tell(caught, answer);
    }

    fn render(&self, exception: &HttpException) -> Rendered {
        match &self.config.renderer {
            Some(renderer) => renderer.render(exception, &self.request),
            None => json::render(exception),
        }
    }

    /// Whether a response that carries an exception has the form that this layer would give it.
    fn is_rendered<B>(&self, response: &Response<B>) -> bool {
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
        let caught = Caught::new(thrown.clone(), self.request.clone());
        self.tell(&caught, Answer::CutShort);
        quietly(|| drop(caught));
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
        let exchange = CustomExchange {
            kept: Some(self.clone()),
            handling: None,
            upgrading: Upgrading::none(),
        };
        trailers_of(exchange, thrown)
    }
}

fn told(response: Response<AnswerBody>) -> Told {
    let answer = Answer::by(&response);
    (response, answer)
}

/// Whether a response is a plain error response, as far as its head tells: an error status, and a body that
/// is text or that is not there. A compressed text is not to be read.
fn may_be_adopted<B: Body>(response: &Response<B>) -> bool {
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

/// Whether what was adopted, for a `HEAD`, had a text once, which somebody further in took away. How long the
/// answer to a `GET` would be is then not known.
fn lost_its_text(how: How, head: &Parts) -> bool {
    let length = head.headers.get(CONTENT_LENGTH);
    how == How::Adopted && length.is_some_and(|length| length != "0")
}

fn is_text_plain(content_type: &HeaderValue) -> bool {
    let essence = content_type.as_bytes().split(|byte| *byte == b';').next();
    essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(b"text/plain"))
}
