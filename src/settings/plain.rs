use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, response::Parts};
use http_body::Body;

use super::{Answered, Custom, Exchange, Guarded, Look, OVER, Sending, Settings, trailers_of};
use crate::{
    Answer, BoxError, ExceptionBody, How, HttpException, Place,
    adopt::Adopted,
    grpc::{self, Carrier, Form, Trailers},
    interrupt::{catch, quietly},
    log,
    raise::slot::is_inside_a_scope,
    render::json,
    response::{
        attach, detach, discard, has_attached, into_http, plain_500, respond, respond_anew,
        without_body,
    },
    thrown::Thrown,
};

/// The settings of a layer that was told nothing: [`ExceptionLayer::new`](crate::ExceptionLayer::new).
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

pub struct PlainExchange {
    form: Form,
}

pub struct PlainSending {
    form: Form,
}

impl Settings for Plain {
    type Exchange = PlainExchange;

    #[inline]
    fn exchange<B>(&self, request: &mut Request<B>) -> PlainExchange {
        PlainExchange {
            form: Form::of(request),
        }
    }

    fn into_custom(self) -> Custom {
        Custom::default()
    }
}

impl Exchange for PlainExchange {
    type Sending = PlainSending;

    /// An exception that is attached to a response has this layer's own rendering already. But whoever
    /// rendered it did not know of a `HEAD`, nor of gRPC.
    #[inline]
    fn looks(&self) -> bool {
        self.form != Form::Full
    }

    fn look<B: Body<Data = Bytes>>(
        &mut self,
        mut response: Response<B>,
        _: &mut Context<'_>,
    ) -> Look<B, Self> {
        if !has_attached(&response) {
            return Look::Pass(response);
        }
        let response = match self.form {
            Form::Head | Form::Full => without_body(response),
            Form::Grpc(_) if grpc::is_status(response.headers()) => return Look::Pass(response),
            Form::Grpc(_) => match detach(&mut response) {
                None => return Look::Pass(response),
                Some(thrown) => {
                    let (head, body) = response.into_parts();
                    quietly(|| drop(body));
                    self.respond_anew(thrown, head)
                }
            },
        };
        Look::Answer(Poll::Ready(Ok(response)))
    }

    #[cold]
    fn answer<B>(&mut self, thrown: Thrown, _: &mut Context<'_>) -> Answered<B, Self> {
        if let Form::Grpc(_) = self.form {
            return Poll::Ready(Ok(self.answer_grpc(thrown)));
        }
        log::answering(&thrown, None);
        Poll::Ready(Ok(self.render(thrown)))
    }

    /// A plain layer adopts nothing.
    fn answer_adopted<B>(&mut self, adopted: Adopted, cx: &mut Context<'_>) -> Answered<B, Self> {
        let thrown = Thrown::exception(adopted.exception, How::Adopted, Place::Future);
        self.answer(thrown, cx)
    }

    /// Nor has it async handlers.
    fn poll<B>(&mut self, _: &mut Context<'_>) -> Answered<B, Self> {
        panic!("{OVER}");
    }

    #[inline]
    fn end(&mut self) -> PlainSending {
        PlainSending { form: self.form }
    }
}

impl PlainExchange {
    /// Which code a gRPC client is given is known when it has been given, so that it is logged then.
    #[inline(never)]
    fn answer_grpc<B>(&self, thrown: Thrown) -> Guarded<B, Self> {
        let response = self.render(thrown.clone());
        log::told(&thrown, None, Answer::by(&response));
        quietly(|| drop(thrown));
        response
    }

    #[inline]
    fn render<B>(&self, thrown: Thrown) -> Guarded<B, Self> {
        let response = Response::new(ExceptionBody::from(Bytes::new()));
        self.respond(thrown, response, |response, exception| {
            respond(response, exception, json::render, self.form, false);
        })
    }

    /// Answers `thrown` with `response`, of which `render` makes what it comes to.
    fn respond<B>(
        &self,
        thrown: Thrown,
        mut response: Guarded<B, Self>,
        render: impl FnOnce(&mut Guarded<B, Self>, &mut HttpException),
    ) -> Guarded<B, Self> {
        let provisional = is_inside_a_scope().then(|| thrown.clone());
        // An error's `source` and its `Drop` are other people's code.
        let made = catch(|| {
            let mut exception = into_http(thrown.into_exception());
            render(&mut response, &mut exception);
            discard(exception);
        });
        if let Err(payload) = made {
            let thrown = Thrown::from_payload(payload, Place::Answer);
            log::not_answered(&thrown);
            quietly(|| drop(thrown));
            response = plain_500(self.form);
        }
        if let Some(thrown) = provisional {
            attach(&mut response, thrown);
        }
        response
    }

    /// Renders what is attached to a response in the form of the request.
    #[cold]
    fn respond_anew<B>(&self, thrown: Thrown, head: Parts) -> Guarded<B, Self> {
        let response = Response::from_parts(head, ExceptionBody::from(Bytes::new()));
        self.respond(thrown, response, |response, exception| {
            respond_anew(response, exception, json::render, self.form);
        })
    }
}

impl Sending for PlainSending {
    #[cold]
    fn cut_short(&self, thrown: Thrown) -> BoxError {
        log::told(&thrown, None, Answer::CutShort);
        thrown.into()
    }

    fn failed(&self, error: BoxError) -> BoxError {
        error
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
        trailers_of(PlainExchange { form: self.form }, thrown)
    }
}
