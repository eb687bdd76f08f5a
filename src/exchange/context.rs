//! Decisions over HTTP: the response to a failure or a reply, and the outcome to report.

use std::{any::Any, thread};

use bytes::Bytes;
use http::{Response, StatusCode, header::CONTENT_LENGTH, response::Parts};

use super::{AnswerBody, RepliedBody};
use crate::{
    caught::{Mechanism, Phase, failure::Failure},
    exception::{Exception, HttpException, WebSocketException},
    format::ResponseFormat,
    grpc,
    handler::{Reply, ReplyKind},
    handling::RequestContext,
    render::response::{
        drop_contained, empty_response, fallback_response, handshake_rejection, render_failure,
        render_into, rerender_into, without_body,
    },
    report::Outcome,
    websocket::Upgrade,
};

/// A response, and the outcome that is reported.
pub(super) type Decision = (Response<AnswerBody>, Outcome);

impl RequestContext {
    /// Decides for a failure that has no handler. `head` is the head of the response that carried
    /// it.
    pub(super) fn decide_default(
        &self,
        failure: &mut Failure,
        head: Option<Parts>,
        upgrade: &mut Option<Box<Upgrade>>,
    ) -> Decision {
        let mut rejection = None;
        if let Some(exception) = failure.websocket_exception() {
            match self.close_or_reject(exception, upgrade) {
                Ok(closed) => return closed,
                Err(exception) => rejection = Some(exception),
            }
        }
        if let Some(head) = head {
            return decision(self.rerender_default(failure, rejection, head));
        }
        let mut response = empty_response();
        // Observers receive the exception with its headers.
        let keep_headers = !self.handling.observers.is_empty();
        render_failure(
            &mut response,
            failure,
            rejection,
            self.format,
            |response, exception| {
                let render = |exception: &_| self.render(exception);
                render_into(response, exception, render, self.format, keep_headers);
            },
        );
        decision(response)
    }

    /// Renders into the response that carried the failure.
    fn rerender_default(
        &self,
        failure: &mut Failure,
        rejection: Option<HttpException>,
        head: Parts,
    ) -> Response<AnswerBody> {
        // If a service further in has removed the text of a response to a `HEAD`, the length of the
        // response to a `GET` is unknown.
        let is_length_unknown = self.format == ResponseFormat::Head
            && failure.mechanism == Mechanism::Adopted
            && head
                .headers
                .get(CONTENT_LENGTH)
                .is_some_and(|length| length != "0");
        let mut response = Response::from_parts(head, AnswerBody::from(Bytes::new()));
        render_failure(
            &mut response,
            failure,
            rejection,
            self.format,
            |response, exception| {
                rerender_into(response, exception, |it| self.render(it), self.format);
                if is_length_unknown {
                    response.headers_mut().remove(CONTENT_LENGTH);
                }
            },
        );
        response
    }

    /// Decides for a handler's reply. It is final, so that no failure is attached.
    pub(super) fn decide_reply(
        &self,
        reply: Reply,
        upgrade: &mut Option<Box<Upgrade>>,
    ) -> Decision {
        decision(match reply.into_kind() {
            ReplyKind::Exception(Exception::Http(exception)) => self.render_reply(exception),
            ReplyKind::Exception(Exception::WebSocket(exception)) => {
                match self.close_or_reject(&exception, upgrade) {
                    Ok(closed) => return closed,
                    Err(exception) => self.render_reply(exception),
                }
            }
            ReplyKind::Response(response) if self.is_foreign(&response) => {
                self.render_reply(grpc::as_exception(response))
            }
            ReplyKind::Response(response) if self.format == ResponseFormat::Head => {
                without_body(response)
            }
            ReplyKind::Response(response) => {
                response.map(|body| AnswerBody::Replied(RepliedBody::new(body)))
            }
        })
    }

    /// Replaces a decision that failed. The failure to decide is reported by itself.
    pub(super) fn or_fall_back(&self, decided: thread::Result<Decision>) -> Decision {
        decided.unwrap_or_else(|payload| self.fall_back(payload))
    }

    #[cold]
    fn fall_back(&self, payload: Box<dyn Any + Send>) -> Decision {
        let failure = Failure::from_payload(payload, Phase::Handling);
        let (response, outcome) = decision(fallback_response(self.format));
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
    ) -> Result<Decision, HttpException> {
        if let Some(status) = self.handling.reject_handshake_with {
            return Err(handshake_rejection(status, exception));
        }
        let Some(upgrade) = upgrade.take() else {
            return Err(handshake_rejection(StatusCode::FORBIDDEN, exception));
        };
        let outcome = Outcome::Close(exception.code());
        let response = upgrade.accept_and_close(exception.clone())?;
        Ok((response, outcome))
    }

    fn render_reply(&self, mut exception: HttpException) -> Response<AnswerBody> {
        let mut response = empty_response();
        let render = |exception: &_| self.render(exception);
        render_into(&mut response, &mut exception, render, self.format, false);
        drop_contained(exception);
        response
    }

    /// Returns whether a handler's response is one that a gRPC client could not read.
    fn is_foreign<B>(&self, response: &Response<B>) -> bool {
        matches!(self.format, ResponseFormat::Grpc(_)) && !grpc::is_for_grpc(response)
    }
}

fn decision(response: Response<AnswerBody>) -> Decision {
    let outcome = Outcome::of(&response);
    (response, outcome)
}
