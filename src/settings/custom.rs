use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, response::Parts};
use http_body::Body;

use super::{
    AnswerBody, Answered, Config, Exchange, Look, OVER, Sending, Settings, kept::Kept,
    upgrading::Upgrading,
};
use crate::{
    Answer, Caught, Exception, ExceptionBody, How, Place, RequestHead,
    adopt::{Adopted, Adopting, may_be_adopted},
    grpc::{self, Form},
    handlers::{Erased, Handled, Reply},
    interrupt::{catch, catch_poll, quietly},
    log,
    response::{attach, detach, has_attached, without_body},
    thrown::Thrown,
};

/// The settings of a layer that was told anything, such as a handler or its renderer.
#[derive(Clone, Default)]
pub struct Custom(pub(crate) Arc<Config>);

pub struct CustomExchange {
    /// `None` once the head of the response is out.
    kept: Option<Kept>,
    /// The async handler that is at work.
    handling: Option<Handling>,
    upgrading: Upgrading,
}

struct Handling {
    caught: Caught,
    reply: Pin<Box<dyn Future<Output = Reply> + Send>>,
}

impl Settings for Custom {
    type Exchange = CustomExchange;

    #[inline]
    fn exchange<B>(&self, request: &mut Request<B>) -> CustomExchange {
        let mut exchange = CustomExchange::new(Kept {
            config: Arc::clone(&self.0),
            request: RequestHead::of(request, self.0.capture_headers),
            form: Form::of(request),
        });
        if Upgrading::is_asked_for(request, &self.0) {
            exchange.upgrading = Upgrading::begin(request, exchange.kept());
        }
        exchange
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
    #[inline]
    pub(super) fn new(kept: Kept) -> Self {
        Self {
            kept: Some(kept),
            handling: None,
            upgrading: Upgrading::none(),
        }
    }

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
        kept.tell_of(thrown.clone(), Answer::by(&response));
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
        // Which code a gRPC client is given, or with which one a WebSocket is closed, is known afterwards.
        let is_told_afterwards = !kept.config.observers.is_empty()
            || upgrading.is_under_way()
            || matches!(kept.form, Form::Grpc(_));
        if handler.is_none() && !is_told_afterwards {
            log::answering(&thrown, Some(&kept.request));
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
