//! The exchange of a layer with configuration.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, header::CONTENT_LENGTH, response::Parts};
use http_body::Body;

use super::{
    AnswerBody, Config, Exchange, Inspection, LayerConfig, POLLED_AFTER_READY,
    attached::{Attached, detach, has_attached, is_final},
    pending_handler::{HandledFailure, PendingHandler},
    pending_report::PendingReport,
    sealed::Sealed,
};
use crate::{
    adopt::{Adopted, AdoptingResponse, Candidate},
    caught::{Caught, Mechanism, Phase, RequestHead, failure::Failure},
    exception::Exception,
    format::{MayReadBody, ResponseFormat},
    grpc,
    handler::{HandlerOutput, table::ErasedHandler},
    handling::RequestContext,
    raise::poll::catch_poll,
    render::framing::{drop_connection, without_body},
    report::Outcome,
    unwind::{catch, catch_or, ignore_panic},
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
            request: RequestHead::of(request, self.0.capture_headers),
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

    #[inline]
    fn inspects<B>(&self, _: &Response<B>) -> bool {
        true
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
        let handler = self.context().find_handler(&failure);
        self.handle_by(handler, failure, None, None, cx)
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
        let handler = self.context().find_handler(&failure);
        self.handle_by(handler, failure, Some(adopted.head), None, cx)
    }

    #[cold]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<AnswerBody>> {
        let Some(pending) = &mut self.pending else {
            panic!("{POLLED_AFTER_READY}");
        };
        let reply = match catch_poll(cx, |cx| pending.reply.as_mut().poll(cx)) {
            Ok(reply) => Ok(ready!(reply)),
            Err(payload) => Err(payload),
        };
        let Some(pending) = self.pending.take() else {
            panic!("{POLLED_AFTER_READY}");
        };
        let PendingHandler {
            reply: future,
            failure,
        } = *pending;
        ignore_panic(|| drop(future));
        let (context, upgrade) = self.split();
        Poll::Ready(failure.conclude(context, upgrade, reply))
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
        let Some(attached) = detach(&mut response) else {
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
        let handler = context.find_handler(&attached.failure);
        let rejects_handshake = match (&self.upgrade, attached.failure.as_exception()) {
            (Some(_), Some(Exception::WebSocket(_))) => true,
            (Some(upgrade), _) => attached
                .failure
                .http_exception()
                .is_some_and(|exception| upgrade.close_for_http(&exception).is_some()),
            (None, _) => false,
        };
        let changes = handler.is_some() || !context.is_rendered(&response) || rejects_handshake;
        if changes && !attached.is_replaced(&response) {
            let (head, body) = response.into_parts();
            ignore_panic(|| drop(body));
            // The head is of no use for the response to a handshake, nor is that of a gRPC status
            // for a client that does not speak gRPC.
            let is_grpc = matches!(context.format, ResponseFormat::Grpc(_));
            let keeps_head = !rejects_handshake && (is_grpc || !grpc::is_status(&head.headers));
            let mut head = Some(head);
            if !keeps_head {
                ignore_panic(|| drop(head.take()));
            }
            let Attached {
                failure, report, ..
            } = attached;
            return Inspection::Replace(self.handle_by(handler, failure, head, report, cx));
        }
        // The response is rendered already, or was replaced.
        attached.settle(&mut response, Some(context));
        drop_connection(&mut response, context.request.version());
        match context.format.is_head() {
            true => Inspection::Replace(Poll::Ready(without_body(response, context.format))),
            false => Inspection::Pass(response),
        }
    }

    /// Handles a failure. `head` is the head of the response that carried it, and `inner` the
    /// report that an inner layer has left.
    fn handle_by(
        &mut self,
        handler: Option<(ErasedHandler, usize)>,
        mut failure: Failure,
        head: Option<Parts>,
        inner: Option<PendingReport>,
        cx: &mut Context<'_>,
    ) -> Poll<Response<AnswerBody>> {
        let (context, upgrade) = self.split();
        let Some((handler, depth)) = handler else {
            let decided = catch(|| context.decide_default(&mut failure, head, upgrade));
            return Poll::Ready(context.settle_default(decided, failure, inner));
        };
        let failure = HandledFailure {
            caught: Caught::of_failure(failure, context.request.clone()),
            head,
            inner,
        };
        let reply = match catch(|| handler(&failure.caught, depth)) {
            Ok(HandlerOutput::Ready(reply)) => Ok(reply),
            Ok(HandlerOutput::Pending(reply)) => {
                self.pending = Some(Box::new(PendingHandler { reply, failure }));
                return self.poll(cx);
            }
            Err(payload) => Err(payload),
        };
        Poll::Ready(failure.conclude(context, upgrade, reply))
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
