//! The state machine of one request, for a layer with and without configuration.
//!
//! The two kinds of layer are two types. A layer without configuration carries nothing: neither a
//! shared configuration nor the head of a request is in its futures and bodies.

mod answer;
mod attached;
mod carried;
mod config;
mod configured;
mod configured_body;
mod context;
mod failure_to_render;
mod fingerprint;
mod kept_headers;
mod pending_handler;
mod pending_report;
mod plain;
mod slot;
mod unhandled;

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;

#[cfg(feature = "axum")]
pub(crate) use self::unhandled::unhandled_response;
pub(crate) use self::{
    answer::{AnswerBody, RepliedBody},
    config::Config,
};
pub use self::{configured::Configured, plain::Unconfigured};

use crate::{
    adopt::{Adopted, AdoptingResponse},
    caught::failure::Failure,
    error::BoxError,
    exception::HttpException,
    grpc::{self, GrpcCode, StatusEncoding, Trailers},
    unwind::ignore_panic,
};

/// Configuration of an [`ExceptionLayer`](crate::ExceptionLayer): [`Unconfigured`] or
/// [`Configured`].
///
/// The trait is sealed.
pub trait LayerConfig: sealed::Sealed + Clone + Send + Sync + 'static {
    #[doc(hidden)]
    type Exchange: Exchange<BodyContext = Self::BodyContext> + Send + 'static;

    #[doc(hidden)]
    type BodyContext: BodyContext + Send + Sync + 'static;

    #[doc(hidden)]
    fn begin<B>(&self, request: &mut Request<B>) -> Self::Exchange;

    #[doc(hidden)]
    fn into_config(self) -> Arc<Config>;
}

mod sealed {
    pub trait Sealed {}
}

/// One request, until the head of its response is sent.
pub trait Exchange: Sized {
    /// State that is left while the body of the response is sent.
    type BodyContext: BodyContext;

    /// Returns whether a response of the service is [inspected](Self::inspect).
    fn inspects<B>(&self, response: &Response<B>) -> bool;

    /// Ends the exchange with a response of the service that is not inspected. It does not panic,
    /// so that the response is moved one time less.
    fn pass(&mut self) -> Self::BodyContext;

    /// Inspects a response of the service.
    fn inspect<B: Body<Data = Bytes>>(
        &mut self,
        response: Response<B>,
        cx: &mut Context<'_>,
    ) -> Inspection<B>;

    /// Handles a failure. If the handler is pending, [`poll`](Self::poll) continues.
    fn handle(&mut self, failure: Failure, cx: &mut Context<'_>) -> Poll<Response<AnswerBody>>;

    /// Handles an error response that was read to its end.
    fn handle_adopted(
        &mut self,
        adopted: Adopted,
        cx: &mut Context<'_>,
    ) -> Poll<Response<AnswerBody>>;

    /// Polls the async handler.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<AnswerBody>>;

    /// Polls the async handler of a failure that `response`, which was held back, carries.
    fn poll_held<B: Body>(&mut self, response: Response<B>, cx: &mut Context<'_>) -> Inspection<B>;

    /// Reports a failure that will not be handled, because the client has left.
    fn abandon(&mut self, failure: Failure);

    /// Ends the exchange, because the head of the response is sent.
    fn finish(&mut self) -> Self::BodyContext;
}

/// One request after the head of its response was sent.
pub trait BodyContext {
    /// Takes the format from the head of the response. A response that was not inspected needs no
    /// call.
    fn set_response_head(&mut self, head: &HeaderMap);

    /// Returns how the response encodes a gRPC status, or `None` if it is no gRPC response.
    fn status_encoding(&self) -> Option<StatusEncoding>;

    /// Reports a failure that cuts the body short, and returns the error that ends the body.
    fn cut_short(&self, failure: Failure) -> BoxError;

    /// Reports an error of the body, and returns it. If `is_reported`, an inner layer has emitted
    /// the event already.
    fn fail(&self, error: BoxError, is_reported: bool) -> BoxError;

    /// Reports the status that a gRPC service has sent in its trailers, and returns the id of that
    /// failure.
    fn report_trailers(&self, failed: HttpException, code: GrpcCode) -> Option<Arc<str>>;

    /// Sets the domain of the code in the trailers of a gRPC service, and adds the id of a failure.
    fn finish_trailers(&self, _trailers: &mut HeaderMap, _id: Option<&str>) {}

    /// Handles a failure in the body of a gRPC response, as it would have been handled before the
    /// head.
    fn trailers(&self, failure: Failure) -> Trailers;
}

/// Result of the inspection of a response.
pub enum Inspection<B> {
    /// The response is sent.
    Pass(Response<B>),
    /// Another response is sent in its place.
    Replace(Poll<Response<AnswerBody>>),
    /// The response is held back until an async handler has replied or declined.
    Hold(Response<B>),
    /// The response may be one to adopt. Its body is read first.
    Adopt(AdoptingResponse<B>),
}

/// Returns the trailers that `exchange`, a gRPC request, has for `failure`.
fn trailers_of<X: Exchange + Send + 'static>(mut exchange: X, failure: Failure) -> Trailers {
    let mut failure = Some(failure);
    Box::pin(poll_fn(move |cx| {
        let response = ready!(match failure.take() {
            Some(failure) => exchange.handle(failure, cx),
            None => exchange.poll(cx),
        });
        let (head, body) = response.into_parts();
        ignore_panic(|| drop(body));
        ignore_panic(|| drop(head.extensions));
        Poll::Ready(grpc::into_trailers(head.headers))
    }))
}
