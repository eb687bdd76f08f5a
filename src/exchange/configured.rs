//! The exchange of a layer with configuration.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_LENGTH, response::Parts};
use http_body::Body;

use super::{
    AnswerBody, Config, Exchange, Inspection, LayerConfig,
    attached::{Attached, Rendering, detach, has_attached, is_final},
    carried::{pass_or_render, take_head},
    failure_to_render::FailureToRender,
    pending_handler::{Asked, HandledFailure, ResponseParts},
    sealed::Sealed,
    slot::{ConfiguredExchange, Inspected, Slot},
};
use crate::{
    adopt::{Adopted, AdoptingResponse, Candidate},
    caught::{Mechanism, Phase, failure::Failure},
    format::{MayReadBody, ResponseFormat},
    grpc,
    handling::POLLED_AFTER_READY,
    report::Outcome,
    unwind::catch_or,
    websocket::Upgrade,
};

/// Marker of a layer with configuration, such as a handler or a renderer.
#[derive(Clone, Default)]
pub struct Configured(pub(super) Arc<Config>);

impl Configured {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Self(config)
    }
}

impl Sealed for Configured {}

impl LayerConfig for Configured {
    type Exchange = ConfiguredExchange;
    type BodyContext = ConfiguredExchange;

    #[inline]
    fn begin<B>(&self, request: &mut Request<B>) -> ConfiguredExchange {
        let format = match self.0.without_grpc {
            true => ResponseFormat::without_grpc(request),
            false => ResponseFormat::of(request),
        };
        let (mut slot, thread) = Slot::take();
        let handling = self.0.handling.of_thread(thread);
        let (context, rare) = slot.split();
        context.fill(handling, request, self.0.captures.as_ref(), format);
        if let Some(websockets) = &self.0.websockets {
            if let Some(upgrade) = Upgrade::begin(request, websockets, context) {
                rare.upgrade = Some(upgrade);
                slot.inspected = Inspected::All;
                return ConfiguredExchange::new(slot);
            }
        }
        slot.inspected = if matches!(format, ResponseFormat::Grpc(_)) {
            Inspected::All
        } else if handling.adoption.is_some() {
            Inspected::Errors
        } else {
            Inspected::Carriers
        };
        ConfiguredExchange::new(slot)
    }

    fn into_config(self) -> Arc<Config> {
        self.0
    }
}

impl Exchange for ConfiguredExchange {
    type BodyContext = ConfiguredExchange;

    /// A response that is inspected is moved several times, so that few are.
    #[inline]
    fn inspects<B>(&self, response: &Response<B>) -> bool {
        let inspected = self.inspected();
        inspected == Some(Inspected::All)
            || (inspected == Some(Inspected::Errors)
                && response.status() >= StatusCode::BAD_REQUEST)
            || has_attached(response)
    }

    #[inline]
    fn pass(&mut self) -> Self {
        self.take()
    }

    fn inspect<B: Body<Data = Bytes>>(
        &mut self,
        response: Response<B>,
        cx: &mut Context<'_>,
    ) -> Inspection<B> {
        if has_attached(&response) {
            return self.inspect_attached(response, cx);
        }
        let adoption = self.context().handling().adoption.as_ref();
        if let Some(settings) = adoption.filter(|_| !is_final(&response)) {
            if let Some(candidate) = Candidate::of(&response, settings) {
                return Inspection::Adopt(AdoptingResponse::new(response, candidate, settings));
            }
        }
        if let Some(upgrade) = self.slot_mut().rare().upgrade.take() {
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
    fn finish(&mut self) -> Self {
        let upgrade = &mut self.slot_mut().rare().upgrade;
        // A check spares most requests a call.
        if upgrade.is_some() {
            *upgrade = None;
        }
        self.take()
    }
}

impl ConfiguredExchange {
    /// Records that the response to a `GET` may have another length than this one to a `HEAD`.
    fn forget_length(&mut self) {
        let context = &mut self.slot_mut().context;
        if context.format == ResponseFormat::Head {
            context.format = ResponseFormat::HeadOfUnknownLength;
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
        let parts = ResponseParts {
            rendering: Some(attached.rendering),
            inner: attached.report,
            ..ResponseParts::default()
        };
        let failure = HandledFailure::new(context.caught(attached.failure), Some(parts));
        let asked = failure.ask(context, next, cx);
        self.conclude_held(asked, response)
    }

    /// Concludes for a failure that `response` carries, as far as its handlers have replied.
    fn conclude_held<B: Body>(&mut self, asked: Asked, response: Response<B>) -> Inspection<B> {
        let (context, upgrade) = self.split();
        match asked {
            Asked::Pending(pending) => {
                self.slot_mut().rare().pending = Some(pending);
                Inspection::Hold(response)
            }
            Asked::Replied(mut failure, reply) => {
                let head = take_head(context, upgrade, response, failure.caught.failure());
                if let Some(parts) = &mut failure.parts {
                    parts.head = head;
                }
                Inspection::Replace(Poll::Ready(failure.conclude(context, upgrade, reply)))
            }
            Asked::Declined(failure) => {
                let parts = failure.parts.map_or_else(ResponseParts::default, |it| *it);
                let attached = Attached {
                    failure: failure.caught.into_failure(),
                    report: parts.inner,
                    rendering: parts.rendering.unwrap_or(Rendering::Conversion),
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
            let failure = FailureToRender::new(failure, context);
            let response = context.respond_by_default(failure, head, false, None, upgrade);
            return Poll::Ready(response);
        }
        let parts = head.map(|head| ResponseParts {
            head: Some(head),
            ..ResponseParts::default()
        });
        let failure = HandledFailure::new(context.caught(failure), parts);
        let asked = failure.ask(context, next, cx);
        self.conclude(asked)
    }

    /// Concludes for a failure, as far as its handlers have replied.
    fn conclude(&mut self, asked: Asked) -> Poll<Response<AnswerBody>> {
        let (context, upgrade) = self.split();
        match asked {
            Asked::Pending(pending) => {
                self.slot_mut().rare().pending = Some(pending);
                Poll::Pending
            }
            Asked::Replied(failure, reply) => {
                Poll::Ready(failure.conclude(context, upgrade, reply))
            }
            Asked::Declined(failure) => {
                let parts = failure.parts.map_or_else(ResponseParts::default, |it| *it);
                let failure = FailureToRender::Caught(failure.caught);
                let ResponseParts { head, inner, .. } = parts;
                Poll::Ready(context.respond_by_default(failure, head, false, inner, upgrade))
            }
        }
    }

    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Asked {
        match self.slot_mut().rare().pending.take() {
            Some(pending) => pending.poll(self.context(), cx),
            None => panic!("{POLLED_AFTER_READY}"),
        }
    }
}
