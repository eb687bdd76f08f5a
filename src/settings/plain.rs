use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;

use super::{Answered, Custom, Exchange, Look, OVER, Sending, Settings};
use crate::{
    Answer, BoxError, ExceptionBody, How, Place,
    adopt::Adopted,
    interrupt::{catch, quietly},
    log,
    raise::slot::is_inside_a_scope,
    render::json,
    response::{attach, discard, has_attached, into_http, plain_500, respond, without_body},
    thrown::Thrown,
};

/// The settings of a layer that was told nothing: [`ExceptionLayer::new`](crate::ExceptionLayer::new).
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

pub struct PlainExchange {
    /// Whether the request is a `HEAD`, so that the answer goes without its body.
    head: bool,
}

pub struct PlainSending;

impl Settings for Plain {
    type Exchange = PlainExchange;

    #[inline]
    fn exchange<B>(&self, request: &Request<B>) -> PlainExchange {
        PlainExchange {
            head: request.method() == Method::HEAD,
        }
    }

    fn into_custom(self) -> Custom {
        Custom::default()
    }
}

impl Exchange for PlainExchange {
    type Sending = PlainSending;

    /// An exception that is attached to a response has this layer's own rendering already. But whoever
    /// rendered it did not know of a `HEAD`.
    #[inline]
    fn looks(&self) -> bool {
        self.head
    }

    #[cold]
    fn look<B: Body<Data = Bytes>>(
        &mut self,
        response: Response<B>,
        _: &mut Context<'_>,
    ) -> Look<B, Self> {
        if !has_attached(&response) {
            return Look::Pass(response);
        }
        let response = without_body(response);
        Look::Answer(Poll::Ready(Ok(response)))
    }

    #[cold]
    fn answer<B>(&mut self, thrown: Thrown, _: &mut Context<'_>) -> Answered<B, Self> {
        log::answering(&thrown, None);
        let provisional = is_inside_a_scope().then(|| thrown.clone());
        let mut response = Response::new(ExceptionBody::from(Bytes::new()));
        // An error's `source` and its `Drop` are other people's code.
        let made = catch(|| {
            let mut exception = into_http(thrown.into_exception());
            let response = &mut response;
            respond(response, &mut exception, json::render, self.head, false);
            discard(exception);
        });
        if let Err(payload) = made {
            let thrown = Thrown::from_payload(payload, Place::Answer);
            log::not_answered(&thrown);
            quietly(|| drop(thrown));
            response = plain_500(self.head);
        }
        if let Some(thrown) = provisional {
            attach(&mut response, thrown);
        }
        Poll::Ready(Ok(response))
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
        PlainSending
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
}
