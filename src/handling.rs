//! A layer's handlers, observers and renderer, and the request that they serve.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};

use crate::{
    adopt::Adoption,
    caught::{
        Captures, Caught, RequestHead, Subject,
        failure::{Failure, drop_contained},
        reveal::Reveals,
    },
    exception::HttpException,
    format::ResponseFormat,
    grpc,
    handler::table::{ErasedHandler, Handlers},
    ids::Ids,
    render::{Render, Rendered, render_json_with_id},
    report::{Outcome, ReportContext, Reporting, emit},
    shards::Shard,
    unwind::{catch_or, ignore_panic},
};

/// The treatment of failures that a layer is configured with.
#[derive(Clone, Default)]
pub(crate) struct Handling {
    pub(crate) handlers: Handlers,
    pub(crate) reporting: Reporting,
    pub(crate) reveals: Arc<Reveals>,
    pub(crate) renderer: Option<Arc<dyn Render>>,
    /// Whether and how plain error responses are adopted.
    pub(crate) adoption: Option<Adoption>,
    /// The status with which a WebSocket exception rejects a handshake, in place of a close frame.
    pub(crate) reject_handshake_with: Option<StatusCode>,
    /// The sources of the ids of failures.
    pub(crate) ids: Option<Arc<Ids>>,
    /// The domain of the codes in gRPC statuses.
    #[cfg(feature = "tonic")]
    pub(crate) error_domain: Option<Arc<str>>,
}

/// One request under a configured layer: the shared handling, and the request's head and format.
#[derive(Clone)]
pub(crate) struct RequestContext {
    /// `None` if it is of no request.
    handling: Option<Arc<Shard<Handling>>>,
    pub(crate) request: RequestHead,
    pub(crate) format: ResponseFormat,
}

impl RequestContext {
    /// Fills this context, which is empty.
    #[inline]
    pub(crate) fn fill<B>(
        &mut self,
        handling: &Arc<Shard<Handling>>,
        request: &Request<B>,
        captures: Option<&Captures>,
        format: ResponseFormat,
    ) {
        self.handling = Some(Arc::clone(handling));
        self.request.clone_from(request, captures);
        self.format = format;
    }

    /// Drops the shared handling and the parts of the request, so that the context is empty.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.handling = None;
        self.request.clear();
    }

    #[inline]
    pub(crate) fn handling(&self) -> &Handling {
        match &self.handling {
            Some(handling) => handling,
            None => panic!("{POLLED_AFTER_READY}"),
        }
    }

    /// Lets this layer's settings apply to `failure`, which it is about to handle: the functions
    /// that open errors, and the types of errors that a panic may have as its payload.
    pub(crate) fn receive(&self, failure: &mut Failure) {
        failure.take_payload(self.handling().handlers.payload_types());
        failure.reveal(&self.handling().reveals);
        self.identify(failure);
    }

    /// Gives the failure its id, unless an inner layer has done so.
    fn identify(&self, failure: &mut Failure) {
        if let (Some(ids), None) = (&self.handling().ids, &failure.id) {
            let received = self.request.id().map(Arc::from);
            // The system may have no randomness.
            failure.id = received.or_else(|| catch_or(None, || ids.make()));
        }
    }

    /// Returns `failure` as handlers, observers and the renderer receive it.
    pub(crate) fn caught(&self, failure: Failure) -> Caught {
        Caught::of_failure(failure, self.request.clone())
    }

    /// Finds the handler that is asked after `asked` others have declined. The search runs user
    /// code: the `source` of errors.
    pub(crate) fn find_handler(
        &self,
        failure: &Failure,
        asked: usize,
    ) -> Option<(&ErasedHandler, Subject)> {
        let handlers = &self.handling().handlers;
        match handlers.is_empty() {
            true => None,
            false => catch_or(None, || handlers.find(failure, asked)),
        }
    }

    /// Returns whether an observer or a renderer of the user's receives a failure that no handler
    /// has replied to.
    pub(crate) fn has_receiver(&self) -> bool {
        let handling = self.handling();
        handling.renderer.is_some() || !handling.reporting.observers.is_empty()
    }

    /// Renders `exception`, which stands for the failure `caught`. Without one the default renderer
    /// is called. `id` is the failure's.
    pub(crate) fn render(
        &self,
        exception: &HttpException,
        caught: Option<&Caught>,
        id: Option<&str>,
    ) -> Rendered {
        match (&self.handling().renderer, caught) {
            (Some(renderer), Some(caught)) => renderer.render(exception, caught),
            _ => render_json_with_id(exception, id).into(),
        }
    }

    /// Returns whether a response that carries an exception has this layer's form already.
    pub(crate) fn is_rendered<B>(&self, response: &Response<B>) -> bool {
        let is_grpc_status = grpc::is_status(response.headers());
        match self.format {
            ResponseFormat::Grpc(_) => is_grpc_status,
            ResponseFormat::Http | ResponseFormat::Head | ResponseFormat::HeadOfUnknownLength => {
                self.handling().renderer.is_none()
                    && self.handling().ids.is_none()
                    && !is_grpc_status
            }
        }
    }

    /// Adds the id of a failure to the head of its response or to the trailers of its gRPC status.
    pub(crate) fn set_id(&self, headers: &mut HeaderMap, id: Option<&str>) {
        let (Some(ids), Some(id)) = (&self.handling().ids, id) else {
            return;
        };
        if let Ok(value) = HeaderValue::from_str(id) {
            // A full map is full.
            let _ = headers.try_insert(ids.response_header(), value);
        }
        #[cfg(feature = "tonic")]
        if let ResponseFormat::Grpc(_) = self.format {
            grpc::set_request_info(headers, id);
        }
    }

    /// Sets the domain of the code in the headers or the trailers of a gRPC status.
    pub(crate) fn set_error_domain(&self, headers: &mut HeaderMap) {
        #[cfg(feature = "tonic")]
        if let (Some(domain), ResponseFormat::Grpc(_)) =
            (&self.handling().error_domain, self.format)
        {
            grpc::set_error_domain(headers, domain);
        }
        let _ = headers;
    }

    pub(crate) fn report_context(&self) -> ReportContext<'_> {
        ReportContext {
            request: &self.request,
            reporting: &self.handling().reporting,
        }
    }

    /// Reports a failure that a handler has received.
    pub(crate) fn report(&self, caught: &Caught, outcome: Outcome) {
        emit(caught.failure(), Some(self.report_context()), || outcome);
        self.handling().reporting.observers.call(caught, outcome);
    }

    /// Reports a failure that has no other use.
    pub(crate) fn report_failure(&self, failure: Failure, outcome: Outcome) {
        emit(&failure, Some(self.report_context()), || outcome);
        self.call_observers(failure, outcome);
    }

    /// Calls the observers for a failure whose event another layer emits.
    pub(crate) fn call_observers(&self, failure: Failure, outcome: Outcome) {
        if self.handling().reporting.observers.is_empty() {
            return drop_contained(failure);
        }
        let caught = self.caught(failure);
        self.handling().reporting.observers.call(&caught, outcome);
        ignore_panic(|| drop(caught));
    }
}

/// The context of no request.
impl Default for RequestContext {
    fn default() -> Self {
        Self {
            handling: None,
            request: RequestHead::empty(),
            format: ResponseFormat::Http,
        }
    }
}

/// The message for a caller that polls a future after it was ready.
pub(crate) const POLLED_AFTER_READY: &str = "`ResponseFuture` polled after it was ready";
