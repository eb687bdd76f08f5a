//! The exchange of a layer without configuration.

use std::{
    any::Any,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;

use super::{
    AnswerBody, BodyContext, Config, Exchange, Inspection, LayerConfig, POLLED_AFTER_READY,
    sealed::Sealed, trailers_of,
};
use crate::{
    adopt::Adopted,
    caught::{
        Mechanism, Phase,
        attached::{detach, has_attached},
        failure::{Failure, drop_contained},
    },
    error::BoxError,
    exception::HttpException,
    format::ResponseFormat,
    grpc::{self, StatusEncoding, Trailers},
    render::{
        render_json,
        response::{
            empty_response, fallback_response, render_failure, render_into, rerender_into,
            without_body,
        },
    },
    report::{Outcome, emit},
    unwind::{catch, ignore_panic},
};

/// Marker of a layer without configuration: [`ExceptionLayer::new`](crate::ExceptionLayer::new).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Unconfigured;

pub struct PlainExchange {
    format: ResponseFormat,
}

pub struct PlainBodyContext {
    format: ResponseFormat,
}

impl Sealed for Unconfigured {}

impl LayerConfig for Unconfigured {
    type Exchange = PlainExchange;
    type BodyContext = PlainBodyContext;

    #[inline]
    fn begin<B>(&self, request: &mut Request<B>) -> PlainExchange {
        PlainExchange {
            format: ResponseFormat::of(request),
        }
    }

    fn into_config(self) -> Arc<Config> {
        Arc::default()
    }
}

impl Exchange for PlainExchange {
    type BodyContext = PlainBodyContext;

    /// An attached exception has this layer's rendering already, except for `HEAD` and gRPC
    /// requests, of which the code that rendered it knew nothing.
    #[inline]
    fn inspects_responses(&self) -> bool {
        self.format != ResponseFormat::Http
    }

    fn inspect<B: Body<Data = Bytes>>(
        &mut self,
        mut response: Response<B>,
        _: &mut Context<'_>,
    ) -> Inspection<B> {
        if !has_attached(&response) {
            return Inspection::Pass(response);
        }
        let response = match self.format {
            ResponseFormat::Head | ResponseFormat::Http => without_body(response),
            ResponseFormat::Grpc(_) if grpc::is_status(response.headers()) => {
                return Inspection::Pass(response);
            }
            ResponseFormat::Grpc(_) => match detach(&mut response) {
                None => return Inspection::Pass(response),
                Some(failure) => {
                    let (head, body) = response.into_parts();
                    ignore_panic(|| drop(body));
                    let response = Response::from_parts(head, AnswerBody::from(Bytes::new()));
                    self.respond(response, failure, |response, exception| {
                        rerender_into(response, exception, render_json, self.format);
                    })
                }
            },
        };
        Inspection::Replace(Poll::Ready(response))
    }

    #[cold]
    fn handle(&mut self, failure: Failure, _: &mut Context<'_>) -> Poll<Response<AnswerBody>> {
        let response = self.respond(empty_response(), failure, |response, exception| {
            render_into(response, exception, render_json, self.format, false);
        });
        Poll::Ready(response)
    }

    /// A layer without configuration adopts nothing.
    fn handle_adopted(
        &mut self,
        adopted: Adopted,
        cx: &mut Context<'_>,
    ) -> Poll<Response<AnswerBody>> {
        let mechanism = Mechanism::Adopted;
        self.handle(
            Failure::exception(adopted.exception, mechanism, Phase::Future),
            cx,
        )
    }

    /// A layer without configuration has no async handlers.
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<Response<AnswerBody>> {
        panic!("{POLLED_AFTER_READY}");
    }

    #[inline]
    fn finish(&mut self) -> PlainBodyContext {
        PlainBodyContext {
            format: self.format,
        }
    }
}

impl PlainExchange {
    /// Renders and reports a failure into `response`, by `render`.
    #[inline]
    fn respond(
        &self,
        mut response: Response<AnswerBody>,
        mut failure: Failure,
        render: impl FnOnce(&mut Response<AnswerBody>, &mut HttpException),
    ) -> Response<AnswerBody> {
        // An error's `source` is user code.
        let rendered =
            catch(|| render_failure(&mut response, &mut failure, None, self.format, render));
        if let Err(payload) = rendered {
            response = self.fall_back(payload);
        }
        emit(&failure, None, || Outcome::of(&response));
        drop_contained(failure);
        response
    }

    /// Reports a failure to render.
    #[cold]
    fn fall_back(&self, payload: Box<dyn Any + Send>) -> Response<AnswerBody> {
        let failure = Failure::from_payload(payload, Phase::Handling);
        let response = fallback_response(self.format);
        emit(&failure, None, || Outcome::of(&response));
        drop_contained(failure);
        response
    }
}

impl BodyContext for PlainBodyContext {
    fn set_response_head(&mut self, head: &HeaderMap) {
        self.format = self.format.of_response(head);
    }

    #[inline]
    fn status_encoding(&self) -> Option<StatusEncoding> {
        self.format.status_encoding()
    }

    #[cold]
    fn cut_short(&self, failure: Failure) -> BoxError {
        emit(&failure, None, || Outcome::Aborted);
        failure.into()
    }

    fn fail(&self, error: BoxError) -> BoxError {
        error
    }

    #[cold]
    fn trailers(&self, failure: Failure) -> Trailers {
        let exchange = PlainExchange {
            format: self.format,
        };
        trailers_of(exchange, failure)
    }
}
