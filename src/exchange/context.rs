//! Decisions over HTTP: the response to a failure or a reply, and the outcome to report.

use std::{any::Any, mem, sync::Arc, thread};

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
        let mut response = empty_response();
        let decided = contain(|| {
            self.decide_default(&mut response, &mut failure, head, is_unhandled, upgrade)
        });
        self.settle_default(&mut response, decided, failure, inner);
        response
    }

    /// Makes `response`, which is empty, and returns the outcome to report. So do the other
    /// decisions: a response that is returned from a function is moved several times.
    fn decide_default(
        &self,
        response: &mut Response<AnswerBody>,
        failure: &mut FailureToRender,
        head: Option<Parts>,
        is_unhandled: bool,
        upgrade: &mut Option<Box<Upgrade>>,
    ) -> Outcome {
        let mut rejection = None;
        let it: &Failure = (*failure).as_ref();
        if let Some(exception) = it.websocket_exception() {
            match self.close_or_reject(response, exception, upgrade, it.id.as_deref()) {
                Ok(closed) => return closed,
                Err(exception) => rejection = Some(exception),
            }
        } else if upgrade.is_some() {
            let exception = it.http_exception();
            let closed = exception.and_then(|it| close_for_http(response, &it, upgrade));
            if let Some(closed) = closed {
                return closed;
            }
        }
        let format = self.format;
        let render = |exception: &_, it: &FailureToRender| {
            self.render(exception, it.caught(), it.as_ref().id.as_deref())
        };
        if let Some(head) = head {
            *response = Response::from_parts(head, AnswerBody::from(Bytes::new()));
            let render = |exception: &_| render(exception, failure);
            rerender_failure(response, it, rejection, render, format, is_unhandled);
        } else {
            // Observers receive the exception with its headers.
            let keep = !self.handling().reporting.observers.is_empty();
            render_failure(response, failure, rejection, render, format, keep);
        }
        self.finish_head(response);
        let id = (*failure).as_ref().id.as_deref();
        self.set_id(response.headers_mut(), id);
        self.outcome(response)
    }

    /// Reports a failure for which a default was decided, or leaves it to an outer layer.
    fn settle_default(
        &self,
        response: &mut Response<AnswerBody>,
        decided: thread::Result<Outcome>,
        failure: FailureToRender,
        inner: Option<PendingReport>,
    ) {
        let is_decided = decided.is_ok();
        let it = failure.as_ref();
        let outcome = self.or_fall_back(response, decided, it.id.as_ref());
        let is_closed = matches!(outcome, Outcome::Close(_));
        if is_decided && !is_closed && is_inside_a_scope() {
            return settle_rendered(response, failure.into_failure(), inner, Some(self));
        }
        leave_note(response, it, Some(self.report_context()));
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
    }

    /// Decides for a handler's reply. It is final, so that no failure is attached.
    ///
    /// `head` is the head of the response that carried the failure. Headers that layers in between
    /// have set there stay, unless the reply sets them.
    pub(super) fn decide_reply(
        &self,
        response: &mut Response<AnswerBody>,
        reply: Reply,
        upgrade: &mut Option<Box<Upgrade>>,
        head: Option<&Parts>,
        caught: &Caught,
    ) -> Outcome {
        let failure = caught.failure();
        match reply.into_kind() {
            ReplyKind::Exception(Exception::Http(exception)) => {
                match close_for_http(response, &exception, upgrade) {
                    Some(closed) => return closed,
                    None => self.render_reply(response, exception, caught),
                }
            }
            ReplyKind::Exception(Exception::WebSocket(exception)) => {
                match self.close_or_reject(response, &exception, upgrade, caught.id()) {
                    Ok(closed) => return closed,
                    Err(exception) => self.render_reply(response, exception, caught),
                }
            }
            ReplyKind::Failure(failed) => self.render_failed(response, *failed, failure.id.clone()),
            ReplyKind::Response(reply) => self.pass_reply(response, *reply, caught),
            ReplyKind::Body(mut reply) => {
                *reply.status_mut() = failure.default_status();
                self.pass_reply(response, *reply, caught);
            }
            // Another handler is asked.
            ReplyKind::None => *response = fallback_response(self.format, caught.id()),
        }
        if let Some(head) = head {
            keep_headers(response, &head.headers, failure);
        }
        self.set_id(response.headers_mut(), caught.id());
        Outcome::of(response)
    }

    /// Returns the outcome of what was rendered.
    fn outcome(&self, response: &Response<AnswerBody>) -> Outcome {
        match self.format {
            ResponseFormat::Grpc(_) => Outcome::of(response),
            _ => Outcome::Status(response.status()),
        }
    }

    /// Replaces a response that could not be decided on. That failure is reported by itself, with
    /// the `id` of the failure that was handled.
    pub(super) fn or_fall_back(
        &self,
        response: &mut Response<AnswerBody>,
        decided: thread::Result<Outcome>,
        id: Option<&Arc<str>>,
    ) -> Outcome {
        decided.unwrap_or_else(|payload| self.fall_back(response, payload, id))
    }

    #[cold]
    fn fall_back(
        &self,
        response: &mut Response<AnswerBody>,
        payload: Box<dyn Any + Send>,
        id: Option<&Arc<str>>,
    ) -> Outcome {
        let mut failure = Failure::from_payload(payload, Phase::Handling);
        failure.id = id.cloned();
        self.receive(&mut failure);
        let mut fallback = fallback_response(self.format, failure.id.as_deref());
        self.set_id(fallback.headers_mut(), failure.id.as_deref());
        let half_made = mem::replace(response, fallback);
        // Its extensions and its body are user values.
        ignore_panic(|| drop(half_made));
        let outcome = self.outcome(response);
        self.report_failure(failure, outcome);
        outcome
    }

    /// Accepts the handshake of a WebSocket to close the connection with `exception`.
    ///
    /// # Errors
    ///
    /// The HTTP exception to render, if there is no handshake to accept.
    fn close_or_reject(
        &self,
        response: &mut Response<AnswerBody>,
        exception: &WebSocketException,
        upgrade: &mut Option<Box<Upgrade>>,
        id: Option<&str>,
    ) -> Result<Outcome, HttpException> {
        if let Some(status) = self.handling().reject_handshake_with {
            return Err(handshake_rejection(status, exception));
        }
        let Some(upgrade) = upgrade.take() else {
            return Err(handshake_rejection(StatusCode::FORBIDDEN, exception));
        };
        *response = upgrade.accept_and_close(exception.clone().with_id(id))?;
        Ok(Outcome::Close(exception.code()))
    }

    /// Renders the exception with which a handler has replied to the failure `caught`.
    fn render_reply(
        &self,
        response: &mut Response<AnswerBody>,
        mut exception: HttpException,
        caught: &Caught,
    ) {
        let render = |exception: &_| self.render(exception, Some(caught), caught.id());
        render_reply_into(response, &mut exception, render, self.format);
        // Its source is user code.
        ignore_panic(|| drop(exception));
        self.finish_head(response);
    }

    /// Adds to and removes from the head of a rendered response what the protocol requires.
    pub(super) fn finish_head<B>(&self, response: &mut Response<B>) {
        drop_connection(response, self.request.version());
        self.set_error_domain(response.headers_mut());
    }

    /// Sends the response of a handler.
    fn pass_reply(
        &self,
        response: &mut Response<AnswerBody>,
        mut reply: HandlerResponse,
        caught: &Caught,
    ) {
        let is_grpc = matches!(self.format, ResponseFormat::Grpc(_));
        // A gRPC client could not read any other response.
        if is_grpc && !grpc::is_for_grpc(&reply) {
            return self.render_reply(response, grpc::as_exception(reply), caught);
        }
        if self.format.is_head() {
            *response = without_body(reply, self.format);
            return;
        }
        if is_grpc {
            grpc::restrict(&mut reply);
            self.set_error_domain(reply.headers_mut());
        }
        *response = reply.map(|body| AnswerBody::Replied(RepliedBody::new(body)));
    }

    /// Renders the failure of a handler, which has replied it, and reports it by itself. `id` is
    /// that of the failure that was handled.
    #[cold]
    fn render_failed(
        &self,
        response: &mut Response<AnswerBody>,
        mut failed: Failure,
        id: Option<Arc<str>>,
    ) {
        failed.id = id;
        let caught = self.caught(failed);
        self.render_reply(response, caught.failure().stand_in(), &caught);
        self.report(&caught, Outcome::of(response));
        ignore_panic(|| drop(caught));
    }
}

/// Accepts the handshake of a WebSocket to close the connection with `exception`, if the layer is
/// configured so and the handshake is valid.
fn close_for_http(
    response: &mut Response<AnswerBody>,
    exception: &HttpException,
    upgrade: &mut Option<Box<Upgrade>>,
) -> Option<Outcome> {
    let exception = upgrade.as_ref()?.close_for_http(exception)?;
    *response = upgrade.take()?.accept_and_close(exception.clone()).ok()?;
    Some(Outcome::Close(exception.code()))
}
