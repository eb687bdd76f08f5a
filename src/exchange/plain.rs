//! The exchange of a layer without configuration.

use std::{
    any::Any,
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;

use super::{
    AnswerBody, BodyContext, Config, Exchange, Inspection, LayerConfig,
    attached::{Attached, detach, has_attached, settle_rendered},
    pending_report::PendingReport,
    sealed::Sealed,
    trailers_of,
};
use crate::{
    adopt::Adopted,
    caught::{
        Mechanism, Phase,
        failure::{Failure, drop_contained},
    },
    error::BoxError,
    exception::HttpException,
    format::{MayReadBody, ResponseFormat},
    grpc::{self, GrpcCode, StatusEncoding, Trailers},
    handling::POLLED_AFTER_READY,
    render::{
        framing::without_body,
        render_json,
        response::{empty_response, fallback_response, render_failure, rerender_failure},
    },
    report::{self, Outcome, emit},
    unwind::{contain, ignore_panic},
};

/// Marker of a layer without configuration: [`ExceptionLayer::new`](crate::ExceptionLayer::new).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Unconfigured;

/// A request, before and after the head of its response is sent.
///
/// It has a word of its own beside a body, so that the compiler moves both by aligned words. Moves
/// that overlap two earlier ones stall most processors: a fifth of what the layer adds.
#[derive(Clone, Copy)]
#[repr(align(8))]
pub struct PlainExchange {
    format: ResponseFormat,
    may_read_body: MayReadBody,
}

impl Sealed for Unconfigured {}

impl LayerConfig for Unconfigured {
    type Exchange = PlainExchange;
    type BodyContext = PlainExchange;

    #[inline]
    fn begin<B>(&self, request: &mut Request<B>) -> PlainExchange {
        PlainExchange {
            format: ResponseFormat::of(request),
            may_read_body: MayReadBody::of(request.method()),
        }
    }

    fn into_config(self) -> Arc<Config> {
        Arc::default()
    }
}

impl Exchange for PlainExchange {
    type BodyContext = PlainExchange;

    /// An attached exception has this layer's rendering already, except for `HEAD` and gRPC
    /// requests, which the code that rendered it did not know. It is reported if there are events.
    /// An attached error of any other type is a plain 500, which this layer may render otherwise.
    #[inline]
    fn inspects<B>(&self, response: &Response<B>) -> bool {
        let status = response.status();
        self.format != ResponseFormat::Http
            || (status >= StatusCode::BAD_REQUEST
                && (status == StatusCode::INTERNAL_SERVER_ERROR || report::is_heard()))
    }

    #[inline]
    fn pass(&mut self) -> Self {
        *self
    }

    fn inspect<B: Body<Data = Bytes>>(
        &mut self,
        mut response: Response<B>,
        _: &mut Context<'_>,
    ) -> Inspection<B> {
        if !has_attached(&response) {
            return Inspection::Pass(response);
        }
        let Some(attached) = detach(&mut response) else {
            return Inspection::Pass(response);
        };
        let is_unhandled = attached.is_unhandled();
        let is_rendered = match self.format {
            ResponseFormat::Grpc(_) => grpc::is_status(response.headers()),
            _ => !is_unhandled,
        };
        if !is_rendered && !attached.is_replaced(&response) {
            let Attached {
                failure, report, ..
            } = attached;
            let (head, body) = response.into_parts();
            ignore_panic(|| drop(body));
            let response = Response::from_parts(head, AnswerBody::from(Bytes::new()));
            let format = self.format;
            let response = self.respond(response, failure, report, |response, failure| {
                rerender_failure(response, failure, None, render_json, format, is_unhandled);
            });
            return Inspection::Replace(Poll::Ready(response));
        }
        grpc::restrict(&mut response);
        attached.settle(&mut response, None);
        if self.format.is_head() {
            return Inspection::Replace(Poll::Ready(without_body(response, self.format)));
        }
        Inspection::Pass(response)
    }

    #[cold]
    fn handle(&mut self, mut failure: Failure, _: &mut Context<'_>) -> Poll<Response<AnswerBody>> {
        failure.may_be_of_request_body = self.may_read_body.get();
        let response = self.respond(empty_response(), failure, None, |response, failure| {
            let render = |exception: &_, _: &_| render_json(exception);
            render_failure(response, failure, None, render, self.format, false);
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

    /// A layer without configuration holds no response back.
    fn poll_held<B: Body>(&mut self, _: Response<B>, _: &mut Context<'_>) -> Inspection<B> {
        panic!("{POLLED_AFTER_READY}");
    }

    #[cold]
    fn abandon(&mut self, failure: Failure) {
        emit(&failure, None, || Outcome::Aborted);
        drop_contained(failure);
    }

    #[inline]
    fn finish(&mut self) -> Self {
        *self
    }
}

impl PlainExchange {
    /// Renders a failure into `response`, by `render`, and reports it. `inner` is the report that
    /// an inner layer has left.
    #[inline]
    fn respond(
        &self,
        mut response: Response<AnswerBody>,
        mut failure: Failure,
        inner: Option<PendingReport>,
        render: impl FnOnce(&mut Response<AnswerBody>, &mut Failure),
    ) -> Response<AnswerBody> {
        // An error's `source` is user code.
        if let Err(payload) = contain(|| render(&mut response, &mut failure)) {
            let unfinished = mem::replace(&mut response, self.fall_back(payload));
            ignore_panic(|| drop(unfinished));
        }
        settle_rendered(&mut response, failure, inner, None);
        response
    }

    /// Reports a failure to render.
    #[cold]
    fn fall_back(&self, payload: Box<dyn Any + Send>) -> Response<AnswerBody> {
        let failure = Failure::from_payload(payload, Phase::Handling);
        let response = fallback_response(self.format, None);
        emit(&failure, None, || Outcome::of(&response));
        drop_contained(failure);
        response
    }
}

impl BodyContext for PlainExchange {
    fn set_response_head(&mut self, head: &HeaderMap) {
        self.format = self.format.of_response(head);
    }

    #[inline]
    fn status_encoding(&self) -> Option<StatusEncoding> {
        self.format.status_encoding()
    }

    #[cold]
    fn cut_short(&self, mut failure: Failure) -> BoxError {
        failure.may_be_of_request_body = self.may_read_body.get();
        emit(&failure, None, || Outcome::Aborted);
        failure.into()
    }

    #[cold]
    fn fail(&self, error: BoxError, is_reported: bool) -> BoxError {
        match is_reported {
            true => error,
            false => self.cut_short(Failure::from_boxed(error, Mechanism::Returned, Phase::Body)),
        }
    }

    #[cold]
    fn report_trailers(&self, failed: HttpException, code: GrpcCode) -> Option<Arc<str>> {
        emit(&Failure::in_trailers(failed), None, || Outcome::Grpc(code));
        None
    }

    #[cold]
    fn trailers(&self, failure: Failure) -> Trailers {
        trailers_of(*self, failure)
    }
}
