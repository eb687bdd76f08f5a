//! The body of a response under a layer with configuration.

use std::sync::Arc;

use http::HeaderMap;

use super::{BodyContext, slot::ConfiguredExchange, trailers_of};
use crate::{
    caught::{Mechanism, Phase, failure::Failure},
    error::BoxError,
    exception::HttpException,
    format::MayReadBody,
    grpc::{GrpcCode, StatusEncoding, Trailers},
    report::Outcome,
};

impl BodyContext for ConfiguredExchange {
    fn set_response_head(&mut self, head: &HeaderMap) {
        let context = &mut self.slot_mut().context;
        context.format = context.format.of_response(head);
    }

    #[inline]
    fn status_encoding(&self) -> Option<StatusEncoding> {
        self.context().format.status_encoding()
    }

    #[cold]
    fn cut_short(&self, mut failure: Failure) -> BoxError {
        failure.may_be_of_request_body = MayReadBody::of(self.context().request.method()).get();
        self.context().receive(&mut failure);
        self.context()
            .report_failure(failure.clone(), Outcome::Aborted);
        failure.into()
    }

    #[cold]
    fn fail(&self, error: BoxError, is_reported: bool) -> BoxError {
        let mut failure = Failure::from_boxed(error, Mechanism::Returned, Phase::Body);
        if !is_reported {
            return self.cut_short(failure);
        }
        self.context().receive(&mut failure);
        self.context()
            .call_observers(failure.clone(), Outcome::Aborted);
        failure.into()
    }

    #[cold]
    fn report_trailers(&self, failed: HttpException, code: GrpcCode) -> Option<Arc<str>> {
        let mut failure = Failure::in_trailers(failed);
        self.context().receive(&mut failure);
        let id = failure.id.clone();
        self.context().report_failure(failure, Outcome::Grpc(code));
        id
    }

    #[cold]
    fn finish_trailers(&self, trailers: &mut HeaderMap, id: Option<&str>) {
        self.context().set_error_domain(trailers);
        self.context().set_id(trailers, id);
    }

    /// Opens the exchange again: a handler may reply as before the head was sent.
    #[cold]
    fn trailers(&self, failure: Failure) -> Trailers {
        trailers_of(ConfiguredExchange::reopen(self.context().clone()), failure)
    }
}
