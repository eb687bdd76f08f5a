//! A layer's handlers, observers and renderer, and the request that they serve.

use std::sync::Arc;

use http::{Response, StatusCode};

use crate::{
    adopt::Adoption,
    caught::{
        Caught, RequestHead,
        failure::{Failure, drop_contained},
    },
    exception::HttpException,
    format::ResponseFormat,
    grpc,
    handler::table::{ErasedHandler, Handlers},
    render::{Render, Rendered, render_json},
    report::{Observers, Outcome, emit},
    unwind::{catch_or, ignore_panic},
};

/// The treatment of failures that a layer is configured with.
#[derive(Clone, Default)]
pub(crate) struct Handling {
    pub(crate) handlers: Handlers,
    pub(crate) observers: Observers,
    pub(crate) renderer: Option<Arc<dyn Render>>,
    /// Whether and how plain error responses are adopted.
    pub(crate) adoption: Option<Adoption>,
    /// The status with which a WebSocket exception rejects a handshake, in place of a close frame.
    pub(crate) reject_handshake_with: Option<StatusCode>,
}

/// One request under a configured layer: the shared handling, and the request's head and format.
#[derive(Clone)]
pub struct RequestContext {
    pub(crate) handling: Arc<Handling>,
    pub(crate) request: RequestHead,
    pub(crate) format: ResponseFormat,
}

impl RequestContext {
    /// Finds the handler of `failure`. The search runs user code: the `source` of errors.
    pub(crate) fn find_handler(&self, failure: &Failure) -> Option<(ErasedHandler, usize)> {
        catch_or(None, || {
            let (handler, depth) = self.handling.handlers.find(failure)?;
            Some((Arc::clone(handler), depth))
        })
    }

    pub(crate) fn render(&self, exception: &HttpException) -> Rendered {
        match &self.handling.renderer {
            Some(renderer) => renderer.render(exception, &self.request),
            None => render_json(exception),
        }
    }

    /// Returns whether a response that carries an exception has this layer's form already.
    pub(crate) fn is_rendered<B>(&self, response: &Response<B>) -> bool {
        let is_grpc_status = grpc::is_status(response.headers());
        match self.format {
            ResponseFormat::Grpc(_) => is_grpc_status,
            ResponseFormat::Http | ResponseFormat::Head | ResponseFormat::HeadOfUnknownLength => {
                self.handling.renderer.is_none() && !is_grpc_status
            }
        }
    }

    /// Reports a failure that a handler has received.
    pub(crate) fn report(&self, caught: &Caught, outcome: Outcome) {
        emit(caught.failure(), Some(&self.request), || outcome);
        self.handling.observers.call(caught, outcome);
    }

    /// Reports a failure that has no other use.
    pub(crate) fn report_failure(&self, failure: Failure, outcome: Outcome) {
        emit(&failure, Some(&self.request), || outcome);
        self.call_observers(failure, outcome);
    }

    /// Calls the observers for a failure whose event another layer emits.
    pub(crate) fn call_observers(&self, failure: Failure, outcome: Outcome) {
        if self.handling.observers.is_empty() {
            return drop_contained(failure);
        }
        let caught = Caught::of_failure(failure, self.request.clone());
        self.handling.observers.call(&caught, outcome);
        ignore_panic(|| drop(caught));
    }
}
