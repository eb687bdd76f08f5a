use std::{
    convert::Infallible,
    fmt,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    BoxError, ExceptionBody, Place, ResponseFuture,
    interrupt::{catch, catch_poll},
    settings::{Exchange, Plain, Settings},
    thrown::Thrown,
};

/// The service that [`ExceptionLayer`](crate::ExceptionLayer) makes. It always answers: its error is
/// [`Infallible`].
///
/// It is ready when the inner service is. An inner service that fails, or panics, in `poll_ready` is
/// broken: it is never called and never polled again, and every call is answered with what it failed
/// with. A clone of this service starts anew, with a clone of the inner one.
pub struct ExceptionService<S, C = Plain> {
    inner: S,
    settings: C,
    /// What the inner service failed with in `poll_ready`.
    broken: Option<Box<Thrown>>,
}

impl<S, C> ExceptionService<S, C> {
    pub(crate) fn new(inner: S, settings: C) -> Self {
        Self {
            inner,
            settings,
            broken: None,
        }
    }
}

impl<S, C, ReqBody, ResBody> Service<Request<ReqBody>> for ExceptionService<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error: Into<BoxError>>,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
    C: Settings,
{
    type Response = Response<ExceptionBody<ResBody, <C::Exchange as Exchange>::Sending>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future, ResBody, C::Exchange>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.broken.is_none() {
            let thrown = match catch_poll(cx, |cx| self.inner.poll_ready(cx)) {
                Ok(Poll::Ready(Ok(()))) => return Poll::Ready(Ok(())),
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Err(error))) => Thrown::from_error(error, Place::Readiness),
                Err(payload) => Thrown::from_payload(payload, Place::Readiness),
            };
            self.broken = Some(Box::new(thrown));
        }
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let exchange = self.settings.exchange(&mut request);
        if let Some(thrown) = &self.broken {
            return ResponseFuture::thrown(Thrown::clone(thrown), exchange);
        }
        match catch(|| self.inner.call(request)) {
            Ok(future) => ResponseFuture::running(future, exchange),
            Err(payload) => {
                ResponseFuture::thrown(Thrown::from_payload(payload, Place::Call), exchange)
            }
        }
    }
}

impl<S: Clone, C: Clone> Clone for ExceptionService<S, C> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.settings.clone())
    }
}

impl<S: fmt::Debug, C> fmt::Debug for ExceptionService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExceptionService")
            .field("inner", &self.inner)
            .field("broken", &self.broken.is_some())
            .finish_non_exhaustive()
    }
}
