//! Decisions over HTTP: the response to a failure or a reply, and the outcome to report.

use std::{any::Any, sync::Arc, thread};

use bytes::Bytes;
use http::{Response, StatusCode, response::Parts};

use super::{
    AnswerBody, RepliedBody, attached::settle_rendered, failure_to_render::FailureToRender,
    kept_headers::keep_headers, pending_report::PendingReport,
};
use crate::{
    caught::{Caught, Phase, failure::Failure},
    exception::{Exception, HttpException, WebSocketException},
    format::ResponseFormat,
    grpc,
    handler::{HandlerResponse, Reply, ReplyKind},
    handling::RequestContext,
    raise::slot::is_inside_a_scope,
    render::{
        framing::{drop_connection, without_body},
        response::{
            empty_response, fallback_response, handshake_rejection, render_failure,
            render_reply_into, rerender_failure,
        },
    },
    report::{Outcome, leave_note},
    unwind::{contain, ignore_panic},
    websocket::Upgrade,
};

/// A response, and the outcome that is reported.
pub(super) type Decision = (Response<AnswerBody>, Outcome);

impl RequestContext {
    /// Responds to a failure that has no handler. `head` is the head of the response that carried
    /// it, which `is_unhandled` if that response was not rendered for the failure. `inner` is the
    /// report that an inner layer has left.
    pub(super) fn respond_by_default(
        &self,
        mut failure: FailureToRender,
        head: Option<Parts>,
        is_unhandled: bool,
        inner: Option<PendingReport>,
        upgrade: &mut Option<Box<Upgrade>>,
    ) -> Response<AnswerBody> {
        let decided = contain(|| self.decide_default(&mut failure, head, is_unhandled, upgrade));
        self.settle_default(decided, failure, inner)
    }

    fn decide_default(
        &self,
        failure: &mut FailureToRender,
        head: Option<Parts>,
        is_unhandled: bool,
        upgrade: &mut Option<Box<Upgrade>>,
    ) -> Decision {
        let mut rejection = None;
        let it: &Failure = (*failure).as_ref();
        if let Some(exception) = it.websocket_exception() {
            match self.close_or_reject(exception, upgrade, it.id.as_deref()) {
                Ok(closed) => return closed,
                Err(exception) => rejection = Some(exception),
            }
        } else if upgrade.is_some() {
            let exception = it.http_exception();
            let closed = exception.and_then(|exception| close_for_http(&exception, upgrade));
            if let Some(closed) = closed {
                return closed;
            }
        }
        let format = self.format;
        let render = |exception: &_, it: &FailureToRender| {
            self.render(exception, it.caught(), it.as_ref().id.as_deref())
        };
        let mut response;
        if let Some(head) = head {
            response = Response::from_parts(head, AnswerBody::from(Bytes::new()));
            let render = |exception: &_| render(exception, failure);
            rerender_failure(&mut response, it, rejection, render, format, is_unhandled);
        } else {
            response = empty_response();
            // Observers receive the exception with its headers.
            let keep = !self.handling().reporting.observers.is_empty();
            render_failure(&mut response, failure, rejection, render, format, keep);
        }
        self.finish_head(&mut response);
        let id = (*failure).as_ref().id.as_deref();
        self.set_id(response.headers_mut(), id);
        self.decision(response)
    }

    /// Reports a failure for which a default was decided, or leaves it to an outer layer.
    fn settle_default(
        &self,
        decided: thread::Result<Decision>,
        failure: FailureToRender,
        inner: Option<PendingReport>,
    ) -> Response<AnswerBody> {
        let is_decided = decided.is_ok();
        let it = failure.as_ref();
        let (mut response, outcome) = self.or_fall_back(decided, it.id.as_ref());
        let is_closed = matches!(outcome, Outcome::Close(_));
        if is_decided && !is_closed && is_inside_a_scope() {
            settle_rendered(&mut response, failure.into_failure(), inner, Some(self));
            return response;
        }
        leave_note(&mut response, it, Some(self.report_context()));
        // A close frame and a fallback are final: an inner layer's report is for its observers.
        match inner {
            Some(inner) if is_decided && !is_closed => {
                inner.add(Some(self), it);
                inner.report(outcome);
            }
            Some(inner) => {
                inner.call_observers(outcome);
                failure.report(self, outcome);
            }
            None => failure.report(self, outcome),
        }
        ignore_panic(|| drop(failure));
        response
    }

    /// Decides for a handler's reply. It is final, so that no failure is attached.
    ///
    /// `head` is the head of the response that carried the failure. Headers that layers in between
    /// have set there stay, unless the reply sets them.
    pub(super) fn decide_reply(
        &self,
        reply: Reply,
        upgrade: &mut Option<Box<Upgrade>>,
        head: Option<&Parts>,
        caught: &Caught,
    ) -> Decision {
        let failure = caught.failure();
        let mut response = match reply.into_kind() {
            ReplyKind::Exception(Exception::Http(exception)) => {
                match close_for_http(&exception, upgrade) {
                    Some(closed) => return closed,
                    None => self.render_reply(exception, caught),
                }
            }
            ReplyKind::Exception(Exception::WebSocket(exception)) => {
                match self.close_or_reject(&exception, upgrade, caught.id()) {
                    Ok(closed) => return closed,
                    Err(exception) => self.render_reply(exception, caught),
                }
            }
            ReplyKind::Failure(failed) => self.render_failed(*failed, failure.id.clone()),
            ReplyKind::Response(response) => self.pass_reply(response, caught),
            ReplyKind::Body(mut response) => {
                *response.status_mut() = failure.default_status();
                self.pass_reply(response, caught)
            }
            // Another handler is asked.
            ReplyKind::None => fallback_response(self.format, caught.id()),
        };
        if let Some(head) = head {
            keep_headers(&mut response, &head.headers, failure);
        }
        self.set_id(response.headers_mut(), caught.id());
        replied(response)
    }

    /// Returns the decision to send what was rendered.
    fn decision(&self, response: Response<AnswerBody>) -> Decision {
        let outcome = match self.format {
            ResponseFormat::Grpc(_) => Outcome::of(&response),
            _ => Outcome::Status(response.status()),
        };
        (response, outcome)
    }

    /// Replaces a decision that failed. The failure to decide is reported by itself, with the `id`
    /// of the failure that was handled.
    pub(super) fn or_fall_back(
        &self,
        decided: thread::Result<Decision>,
        id: Option<&Arc<str>>,
    ) -> Decision {
        decided.unwrap_or_else(|payload| self.fall_back(payload, id))
    }

    #[cold]
    fn fall_back(&self, payload: Box<dyn Any + Send>, id: Option<&Arc<str>>) -> Decision {
        let mut failure = Failure::from_payload(payload, Phase::Handling);
        failure.id = id.cloned();
        self.receive(&mut failure);
        let mut response = fallback_response(self.format, failure.id.as_deref());
        self.set_id(response.headers_mut(), failure.id.as_deref());
        let (response, outcome) = self.decision(response);
        self.report_failure(failure, outcome);
        (response, outcome)
    }

    /// Accepts the handshake of a WebSocket to close the connection with `exception`.
    ///
    /// # Errors
    ///
    /// The HTTP exception to render, if there is no handshake to accept.
    fn close_or_reject(
        &self,
        exception: &WebSocketException,
        upgrade: &mut Option<Box<Upgrade>>,
        id: Option<&str>,
    ) -> Result<Decision, HttpException> {
        if let Some(status) = self.handling().reject_handshake_with {
            return Err(handshake_rejection(status, exception));
        }
        let Some(upgrade) = upgrade.take() else {
            return Err(handshake_rejection(StatusCode::FORBIDDEN, exception));
        };
        let outcome = Outcome::Close(exception.code());
        let response = upgrade.accept_and_close(exception.clone().with_id(id))?;
        Ok((response, outcome))
    }

    /// Renders the exception with which a handler has replied to the failure `caught`.
    fn render_reply(&self, mut exception: HttpException, caught: &Caught) -> Response<AnswerBody> {
        let mut response = empty_response();
        let render = |exception: &_| self.render(exception, Some(caught), caught.id());
        render_reply_into(&mut response, &mut exception, render, self.format);
        // Its source is user code.
        ignore_panic(|| drop(exception));
        self.finish_head(&mut response);
        response
    }

    /// Adds to and removes from the head of a rendered response what the protocol requires.
    pub(super) fn finish_head<B>(&self, response: &mut Response<B>) {
        drop_connection(response, self.request.version());
        self.set_error_domain(response.headers_mut());
    }

    /// Sends the response of a handler.
    fn pass_reply(&self, mut response: HandlerResponse, caught: &Caught) -> Response<AnswerBody> {
        if self.is_foreign(&response) {
            return self.render_reply(grpc::as_exception(response), caught);
        }
        if self.format.is_head() {
            return without_body(response, self.format);
        }
        if let ResponseFormat::Grpc(_) = self.format {
            grpc::restrict(&mut response);
            self.set_error_domain(response.headers_mut());
        }
        response.map(|body| AnswerBody::Replied(RepliedBody::new(body)))
    }

    /// Renders the failure of a handler, which has replied it, and reports it by itself. `id` is
    /// that of the failure that was handled.
    #[cold]
    fn render_failed(&self, mut failed: Failure, id: Option<Arc<str>>) -> Response<AnswerBody> {
        failed.id = id;
        let caught = self.caught(failed);
        let response = self.render_reply(caught.failure().stand_in(), &caught);
        self.report(&caught, Outcome::of(&response));
        ignore_panic(|| drop(caught));
        response
    }

    /// Returns whether a handler's response is one that a gRPC client could not read.
    fn is_foreign<B>(&self, response: &Response<B>) -> bool {
        matches!(self.format, ResponseFormat::Grpc(_)) && !grpc::is_for_grpc(response)
    }
}

/// Accepts the handshake of a WebSocket to close the connection with `exception`, if the layer is
/// configured so and the handshake is valid.
fn close_for_http(
    exception: &HttpException,
    upgrade: &mut Option<Box<Upgrade>>,
) -> Option<Decision> {
    let exception = upgrade.as_ref()?.close_for_http(exception)?;
    let response = upgrade.take()?.accept_and_close(exception.clone()).ok()?;
    Some((response, Outcome::Close(exception.code())))
}

/// Returns the decision to send what a handler has replied.
fn replied(response: Response<AnswerBody>) -> Decision {
    let outcome = Outcome::of(&response);
    (response, outcome)
}
