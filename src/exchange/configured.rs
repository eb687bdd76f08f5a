//! The exchange of a layer with configuration.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, response::Parts};
use http_body::Body;

use super::{
    AnswerBody, BodyContext, Config, Exchange, Inspection, LayerConfig, POLLED_AFTER_READY,
    sealed::Sealed, trailers_of,
};
use crate::{
    adopt::{Adopted, AdoptingResponse, may_be_adopted},
    caught::{
        Caught, Mechanism, Phase, RequestHead,
        attached::{attach, detach, has_attached},
        failure::Failure,
    },
    error::BoxError,
    exception::Exception,
    format::ResponseFormat,
    grpc::{self, StatusEncoding, Trailers},
    handler::{HandlerOutput, PendingReply, Reply, table::ErasedHandler},
    handling::RequestContext,
    raise::poll::catch_poll,
    render::response::without_body,
    report::Outcome,
    unwind::{catch, ignore_panic},
    websocket::Upgrade,
};

/// Marker of a layer with configuration, such as a handler or a renderer.
#[derive(Clone, Default)]
pub struct Configured(pub(super) Arc<Config>);

pub struct ConfiguredExchange {
    /// `None` after the head of the response was sent.
    context: Option<RequestContext>,
    pending: Option<PendingHandler>,
    /// The request's way to a WebSocket, if it asks for one.
    upgrade: Option<Box<Upgrade>>,
}

/// An async handler, and the failure that it handles.
struct PendingHandler {
    caught: Caught,
    reply: PendingReply,
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
        let context = RequestContext {
            handling: Arc::clone(&self.0.handling),
            request: RequestHead::of(request, self.0.capture_headers),
            format: ResponseFormat::of(request),
        };
        let upgrade = Upgrade::begin(request, self.0.websockets.as_ref(), &context);
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
    fn inspects_responses(&self) -> bool {
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
        match self.context().handling.adopt_up_to_bytes {
            Some(limit) if may_be_adopted(&response) => {
                Inspection::Adopt(AdoptingResponse::new(response, limit))
            }
            _ => {
                if let Some(upgrade) = self.upgrade.take() {
                    upgrade.on_response(&response);
                }
                Inspection::Pass(response)
            }
        }
    }

    #[cold]
    fn handle(&mut self, failure: Failure, cx: &mut Context<'_>) -> Poll<Response<AnswerBody>> {
        let handler = self.context().find_handler(&failure);
        self.handle_by(handler, failure, None, cx)
    }

    #[cold]
    fn handle_adopted(
        &mut self,
        adopted: Adopted,
        cx: &mut Context<'_>,
    ) -> Poll<Response<AnswerBody>> {
        let failure = Failure::exception(adopted.exception, Mechanism::Adopted, Phase::Future);
        let handler = self.context().find_handler(&failure);
        self.handle_by(handler, failure, Some(adopted.head), cx)
    }

    #[cold]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<AnswerBody>> {
        let Some(PendingHandler { reply, .. }) = &mut self.pending else {
            panic!("{POLLED_AFTER_READY}");
        };
        let replied = match catch_poll(cx, |cx| reply.as_mut().poll(cx)) {
            Ok(reply) => Ok(ready!(reply)),
            Err(payload) => Err(payload),
        };
        let Some(PendingHandler { caught, reply }) = self.pending.take() else {
            panic!("{POLLED_AFTER_READY}");
        };
        ignore_panic(|| drop(reply));
        Poll::Ready(self.conclude(caught, replied))
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

    #[cold]
    fn inspect_attached<B: Body>(
        &mut self,
        mut response: Response<B>,
        cx: &mut Context<'_>,
    ) -> Inspection<B> {
        let Some(failure) = detach(&mut response) else {
            return Inspection::Pass(response);
        };
        let context = self.context();
        let handler = context.find_handler(&failure);
        let rejects_handshake = self.upgrade.is_some()
            && matches!(failure.as_exception(), Some(Exception::WebSocket(_)));
        if handler.is_some() || !context.is_rendered(&response) || rejects_handshake {
            let (head, body) = response.into_parts();
            ignore_panic(|| drop(body));
            // The head is of no use for the response to a handshake, nor is that of a gRPC status
            // for a client that does not speak gRPC.
            let is_grpc = matches!(context.format, ResponseFormat::Grpc(_));
            let keeps_head = !rejects_handshake && (is_grpc || !grpc::is_status(&head.headers));
            let head = keeps_head.then_some(head);
            return Inspection::Replace(self.handle_by(handler, failure, head, cx));
        }
        // The response is rendered already. An outer layer may still handle the failure.
        context.report_failure(failure.clone(), Outcome::of(&response));
        attach(&mut response, failure);
        match context.format {
            ResponseFormat::Head => Inspection::Replace(Poll::Ready(without_body(response))),
            ResponseFormat::Http | ResponseFormat::Grpc(_) => Inspection::Pass(response),
        }
    }

    /// Handles a failure. `head` is the head of the response that carried it.
    fn handle_by(
        &mut self,
        handler: Option<(ErasedHandler, usize)>,
        mut failure: Failure,
        head: Option<Parts>,
        cx: &mut Context<'_>,
    ) -> Poll<Response<AnswerBody>> {
        let (context, upgrade) = self.split();
        let Some((handler, depth)) = handler else {
            let decided = catch(|| context.decide_default(&mut failure, head, upgrade));
            let (response, outcome) = context.or_fall_back(decided);
            context.report_failure(failure, outcome);
            return Poll::Ready(response);
        };
        let caught = Caught::of_failure(failure, context.request.clone());
        let reply = match catch(|| handler(&caught, depth)) {
            Ok(HandlerOutput::Ready(reply)) => Ok(reply),
            Ok(HandlerOutput::Pending(reply)) => {
                self.pending = Some(PendingHandler { caught, reply });
                return self.poll(cx);
            }
            Err(payload) => Err(payload),
        };
        Poll::Ready(self.conclude(caught, reply))
    }

    /// Makes the response for a handler's reply, and reports the failure.
    fn conclude(&mut self, caught: Caught, reply: thread::Result<Reply>) -> Response<AnswerBody> {
        let (context, upgrade) = self.split();
        let decided = reply.and_then(|reply| catch(|| context.decide_reply(reply, upgrade)));
        let (response, outcome) = context.or_fall_back(decided);
        context.report(&caught, outcome);
        ignore_panic(|| drop(caught));
        response
    }
}

impl BodyContext for RequestContext {
    fn set_response_head(&mut self, head: &HeaderMap) {
        self.format = self.format.of_response(head);
    }

    #[inline]
    fn status_encoding(&self) -> Option<StatusEncoding> {
        self.format.status_encoding()
    }

    #[cold]
    fn cut_short(&self, failure: Failure) -> BoxError {
        self.report_failure(failure.clone(), Outcome::Aborted);
        failure.into()
    }

    #[cold]
    fn fail(&self, error: BoxError) -> BoxError {
        self.cut_short(Failure::from_error(error, Phase::Body))
    }

    /// Opens the exchange again: a handler may reply as before the head was sent.
    #[cold]
    fn trailers(&self, failure: Failure) -> Trailers {
        let exchange = ConfiguredExchange {
            context: Some(self.clone()),
            pending: None,
            upgrade: None,
        };
        trailers_of(exchange, failure)
    }
}
