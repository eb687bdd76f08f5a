//! The exchange of a layer with configuration.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_LENGTH, response::Parts};
use http_body::Body;

use super::{
    AnswerBody, Config, Exchange, Inspection, LayerConfig, POLLED_AFTER_READY,
    attached::{Attached, Rendering, detach, has_attached, is_final},
    carried::{pass_or_render, take_head},
    pending_handler::{Asked, HandledFailure, PendingHandler},
    sealed::Sealed,
};
use crate::{
    adopt::{Adopted, AdoptingResponse, Candidate},
    caught::{Mechanism, Phase, RequestHead, failure::Failure},
    format::{MayReadBody, ResponseFormat},
    grpc,
    handling::RequestContext,
    report::Outcome,
    unwind::catch_or,
    websocket::Upgrade,
};

/// Marker of a layer with configuration, such as a handler or a renderer.
#[derive(Clone, Default)]
pub struct Configured(pub(super) Arc<Config>);

pub struct ConfiguredExchange {
    /// `None` after the head of the response was sent.
    context: Option<RequestContext>,
    pending: Option<Box<PendingHandler>>,
    /// The request's way to a WebSocket, if it asks for one.
    upgrade: Option<Box<Upgrade>>,
}

impl Configured {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Self(config)
    }
}

impl Sealed for Configured {}

impl LayerConfig for Configured {
    type Exchange = ConfiguredExchange;
    type BodyContext = RequestContext;

    #[inline]
    fn begin<B>(&self, request: &mut Request<B>) -> ConfiguredExchange {
        let mut context = RequestContext {
            handling: Arc::clone(&self.0.handling),
            request: RequestHead::of(request, self.0.captures.as_ref()),
            format: if self.0.without_grpc {
                ResponseFormat::without_grpc(request)
            } else {
                ResponseFormat::of(request)
            },
        };
        let upgrade = Upgrade::begin(request, self.0.websockets.as_ref(), &mut context);
        ConfiguredExchange {
            context: Some(context),
            pending: None,
            upgrade,
        }
    }

    fn into_config(self) -> Arc<Config> {
        self.0
    }
}

impl Exchange for ConfiguredExchange {
    type BodyContext = RequestContext;

    /// A response that is inspected is moved several times, so that few are.
    #[inline]
    fn inspects<B>(&self, response: &Response<B>) -> bool {
        let context = self.context();
        self.upgrade.is_some()
            || matches!(context.format, ResponseFormat::Grpc(_))
            || (context.handling.adoption.is_some() && response.status() >= StatusCode::BAD_REQUEST)
            || has_attached(response)
    }

    fn inspect<B: Body<Data = Bytes>>(
        &mut self,
        response: Response<B>,
        cx: &mut Context<'_>,
    ) -> Inspection<B> {
        if has_attached(&response) {
            return self.inspect_attached(response, cx);
        }
        let adoption = self.context().handling.adoption.as_ref();
        if let Some(settings) = adoption.filter(|_| !is_final(&response)) {
            if let Some(candidate) = Candidate::of(&response, settings) {
                return Inspection::Adopt(AdoptingResponse::new(response, candidate, settings));
            }
        }
        if let Some(upgrade) = self.upgrade.take() {
            upgrade.on_response(&response);
        }
        Inspection::Pass(response)
    }

    #[cold]
    fn handle(&mut self, mut failure: Failure, cx: &mut Context<'_>) -> Poll<Response<AnswerBody>> {
        failure.may_be_of_request_body = MayReadBody::of(self.context().request.method()).get();
        self.handle_by(failure, None, cx)
    }

    #[cold]
    fn handle_adopted(
        &mut self,
        adopted: Adopted,
        cx: &mut Context<'_>,
    ) -> Poll<Response<AnswerBody>> {
        let failure = Failure::exception(adopted.exception, Mechanism::Adopted, Phase::Future);
        if adopted.may_lack_text {
            self.forget_length();
        }
        self.handle_by(failure, Some(adopted.head), cx)
    }

    #[cold]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<AnswerBody>> {
        let asked = self.poll_pending(cx);
        self.conclude(asked)
    }

    #[cold]
    fn poll_held<B: Body>(&mut self, response: Response<B>, cx: &mut Context<'_>) -> Inspection<B> {
        let asked = self.poll_pending(cx);
        self.conclude_held(asked, response)
    }

    #[cold]
    fn abandon(&mut self, failure: Failure) {
        self.context().report_failure(failure, Outcome::Aborted);
    }

    #[inline]
    fn finish(&mut self) -> RequestContext {
        match self.context.take() {
            Some(context) => context,
            None => panic!("{POLLED_AFTER_READY}"),
        }
    }
}

impl ConfiguredExchange {
    /// Opens the exchange of `context` again, after the head of the response was sent.
    pub(super) fn reopen(context: RequestContext) -> Self {
        Self {
            context: Some(context),
            pending: None,
            upgrade: None,
        }
    }

    fn context(&self) -> &RequestContext {
        match &self.context {
            Some(context) => context,
            None => panic!("{POLLED_AFTER_READY}"),
        }
    }

    fn split(&mut self) -> (&RequestContext, &mut Option<Box<Upgrade>>) {
        match &self.context {
            Some(context) => (context, &mut self.upgrade),
            None => panic!("{POLLED_AFTER_READY}"),
        }
    }

    /// Records that the response to a `GET` may have another length than this one to a `HEAD`.
    fn forget_length(&mut self) {
        if let Some(context) = &mut self.context {
            if context.format == ResponseFormat::Head {
                context.format = ResponseFormat::HeadOfUnknownLength;
            }
        }
    }

    #[cold]
    fn inspect_attached<B: Body>(
        &mut self,
        mut response: Response<B>,
        cx: &mut Context<'_>,
    ) -> Inspection<B> {
        let Some(mut attached) = detach(&mut response) else {
            return Inspection::Pass(response);
        };
        grpc::restrict(&mut response);
        // An inner layer that knew the length would have set it in the response to a `HEAD`.
        if !response.headers().contains_key(CONTENT_LENGTH)
            && catch_or(false, || response.body().is_end_stream())
        {
            self.forget_length();
        }
        let context = self.context();
        context.receive(&mut attached.failure);
        let next = context.find_handler(&attached.failure, 0);
        if next.is_none() || attached.is_replaced(&response) {
            let (context, upgrade) = self.split();
            return pass_or_render(context, upgrade, response, attached);
        }
        let mut failure = HandledFailure::new(attached.failure, context, attached.report);
        failure.rendering = Some(attached.rendering);
        let asked = failure.ask(context, next, cx);
        self.conclude_held(asked, response)
    }

    /// Concludes for a failure that `response` carries, as far as its handlers have replied.
    fn conclude_held<B: Body>(&mut self, asked: Asked, response: Response<B>) -> Inspection<B> {
        let (context, upgrade) = self.split();
        match asked {
            Asked::Pending(pending) => {
                self.pending = Some(pending);
                Inspection::Hold(response)
            }
            Asked::Replied(mut failure, reply) => {
                failure.head = take_head(context, upgrade, response, failure.caught.failure());
                Inspection::Replace(Poll::Ready(failure.conclude(context, upgrade, reply)))
            }
            Asked::Declined(failure) => {
                let attached = Attached {
                    failure: failure.caught.into_failure(),
                    report: failure.inner,
                    rendering: failure.rendering.unwrap_or(Rendering::Conversion),
                };
                pass_or_render(context, upgrade, response, attached)
            }
        }
    }

    /// Handles a failure. `head` is the head of the response that was adopted.
    fn handle_by(
        &mut self,
        mut failure: Failure,
        head: Option<Parts>,
        cx: &mut Context<'_>,
    ) -> Poll<Response<AnswerBody>> {
        let (context, upgrade) = self.split();
        context.receive(&mut failure);
        let next = context.find_handler(&failure, 0);
        if next.is_none() {
            let response = context.respond_by_default(failure, head, false, None, upgrade);
            return Poll::Ready(response);
        }
        let mut failure = HandledFailure::new(failure, context, None);
        failure.head = head;
        let asked = failure.ask(context, next, cx);
        self.conclude(asked)
    }

    /// Concludes for a failure, as far as its handlers have replied.
    fn conclude(&mut self, asked: Asked) -> Poll<Response<AnswerBody>> {
        let (context, upgrade) = self.split();
        match asked {
            Asked::Pending(pending) => {
                self.pending = Some(pending);
                Poll::Pending
            }
            Asked::Replied(failure, reply) => {
                Poll::Ready(failure.conclude(context, upgrade, reply))
            }
            Asked::Declined(HandledFailure {
                caught,
                head,
                inner,
                ..
            }) => {
                let failure = caught.into_failure();
                Poll::Ready(context.respond_by_default(failure, head, false, inner, upgrade))
            }
        }
    }

    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Asked {
        match self.pending.take() {
            Some(pending) => pending.poll(self.context(), cx),
            None => panic!("{POLLED_AFTER_READY}"),
        }
    }
}

impl Drop for ConfiguredExchange {
    #[inline]
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            pending.abandon(self.context.as_ref());
        }
    }
}
