//! The trailers of a gRPC service: they are restricted, and a status that is not OK is reported.

use bytes::Bytes;
use http::Response;
use http_body::Frame;

use super::rare::RareBody;
use crate::{
    exception::HttpException,
    exchange::BodyContext,
    grpc::{self, StatusEncoding},
    raise::slot::is_inside_a_scope,
};

/// Private extension of a gRPC response whose trailers an inner layer inspects.
#[derive(Clone)]
struct Inspected;

/// Returns whether this layer inspects the trailers of `response`: an outer layer does not, because
/// the inner one reports.
pub(crate) fn claim<B>(response: &mut Response<B>) -> bool {
    let is_first = response.extensions().get::<Inspected>().is_none();
    if is_first && is_inside_a_scope() {
        response.extensions_mut().insert(Inspected);
    }
    is_first
}

/// Restricts and reports trailers.
///
/// # Errors
///
/// Returns the failure if the server does not send trailers. Without its status the body would look
/// complete.
pub(super) fn inspect<X: BodyContext>(
    mut frame: Frame<Bytes>,
    context: &X,
) -> Result<Frame<Bytes>, HttpException> {
    let Some(trailers) = frame.trailers_mut() else {
        return Ok(frame);
    };
    let mut id = None;
    if let Some((failed, code)) = grpc::failure_in_trailers(trailers) {
        if context.status_encoding() == Some(StatusEncoding::Unsent) {
            return Err(failed);
        }
        id = context.report_trailers(failed, code);
    }
    grpc::restrict_trailers(trailers);
    context.finish_trailers(trailers, id.as_deref());
    Ok(frame)
}

/// Reports the trailers of a gRPC-Web body, which are a part of its data.
pub(super) fn report_web<B, X: BodyContext>(body: &mut RareBody<B>, context: &X) {
    let trailers = body.take_trailers();
    if let Some((failed, code)) = trailers.as_ref().and_then(grpc::failure_in_trailers) {
        context.report_trailers(failed, code);
    }
}
