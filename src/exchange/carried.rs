//! A response that carries a failure, under a layer with configuration.

use std::task::Poll;

use http::{Response, response::Parts};
use http_body::Body;

use super::{Inspection, attached::Attached, failure_to_render::FailureToRender};
use crate::{
    caught::failure::Failure, exception::Exception, format::ResponseFormat, grpc,
    handling::RequestContext, render::framing::without_body, unwind::ignore_panic,
    websocket::Upgrade,
};

/// Sends a response that carries a failure to which no handler replies, or another rendering of the
/// failure in its place.
pub(super) fn pass_or_render<B: Body>(
    context: &RequestContext,
    upgrade: &mut Option<Box<Upgrade>>,
    mut response: Response<B>,
    attached: Attached,
) -> Inspection<B> {
    let is_unhandled = attached.is_unhandled();
    let is_rendered = context.is_rendered(&response) && !is_unhandled;
    let changes = !is_rendered || closes_handshake(upgrade.as_deref(), &attached.failure);
    if changes && !attached.is_replaced(&response) {
        let head = take_head(context, upgrade, response, &attached.failure);
        let Attached {
            failure, report, ..
        } = attached;
        let failure = FailureToRender::new(failure, context);
        let response = context.respond_by_default(failure, head, is_unhandled, report, upgrade);
        return Inspection::Replace(Poll::Ready(response));
    }
    // The response is rendered already, or was replaced.
    let id = attached.failure.id.clone();
    attached.settle(&mut response, Some(context));
    context.finish_head(&mut response);
    context.set_id(response.headers_mut(), id.as_deref());
    match context.format.is_head() {
        true => Inspection::Replace(Poll::Ready(without_body(response, context.format))),
        false => Inspection::Pass(response),
    }
}

/// Takes the head of a response that is replaced, unless it is of no use.
///
/// It is of none for the response to a handshake. Nor is that of a gRPC status for a client that
/// does not speak gRPC.
pub(super) fn take_head<B>(
    context: &RequestContext,
    upgrade: &Option<Box<Upgrade>>,
    response: Response<B>,
    failure: &Failure,
) -> Option<Parts> {
    let (head, body) = response.into_parts();
    ignore_panic(|| drop(body));
    let is_grpc = matches!(context.format, ResponseFormat::Grpc(_));
    let is_of_use = is_grpc || !grpc::is_status(&head.headers);
    if is_of_use && !closes_handshake(upgrade.as_deref(), failure) {
        return Some(head);
    }
    ignore_panic(|| drop(head));
    None
}

/// Returns whether the failure closes a WebSocket whose handshake has not been answered.
fn closes_handshake(upgrade: Option<&Upgrade>, failure: &Failure) -> bool {
    match (upgrade, failure.as_exception()) {
        (Some(_), Some(Exception::WebSocket(_))) => true,
        (Some(upgrade), _) => failure
            .http_exception()
            .is_some_and(|exception| upgrade.close_for_http(&exception).is_some()),
        (None, _) => false,
    }
}
