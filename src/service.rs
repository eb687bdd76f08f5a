//! The middleware service.

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
    body::ExceptionBody,
    caught::{IntoFailure, Phase, failure::Failure},
    error::BoxError,
    exchange::{LayerConfig, Unconfigured},
    future::ResponseFuture,
    raise::poll::catch_poll,
    unwind::{catch, ignore_panic},
};

/// Service of [`ExceptionLayer`](crate::ExceptionLayer). It always responds: its error is
/// [`Infallible`].
///
/// It is ready when the inner service is. If the inner service fails or panics in `poll_ready`, it
/// counts as broken: it is not polled and not called again, and every call fails in the same way. A
/// clone of this service starts with a clone of the inner one, which is not broken.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::{BoxError, ServiceExt, service_fn};
/// use tower_exception::{ExceptionService, HttpException};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let service = ExceptionService::new(service_fn(async |_: Request<Full<Bytes>>| {
///     Err::<Response<Full<Bytes>>, BoxError>(HttpException::gone("sold out").into())
/// }));
///
/// let response = service.oneshot(Request::new(Full::default())).await.unwrap();
/// assert_eq!(response.status(), 410);
/// # }
/// ```
pub struct ExceptionService<S, C = Unconfigured> {
    inner: S,
    config: C,
    /// The failure of the inner service in `poll_ready`.
    broken: Option<Box<Failure>>,
}

impl<S> ExceptionService<S> {
    /// Wraps `inner` as [`ExceptionLayer::new`](crate::ExceptionLayer::new) does.
    pub fn new(inner: S) -> Self {
        Self::with_config(inner, Unconfigured)
    }
}

impl<S, C> ExceptionService<S, C> {
    pub(crate) fn with_config(inner: S, config: C) -> Self {
        Self {
            inner,
            config,
            broken: None,
        }
    }

    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, C, ReqBody, ResBody> Service<Request<ReqBody>> for ExceptionService<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error: IntoFailure>,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
    C: LayerConfig,
{
    type Response = Response<ExceptionBody<ResBody, C>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future, ResBody, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.broken.is_none() {
            let failure = match catch_poll(cx, |cx| self.inner.poll_ready(cx)) {
                Ok(Poll::Ready(Ok(()))) => return Poll::Ready(Ok(())),
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Err(error))) => error.into_failure(Phase::PollReady),
                Err(payload) => Failure::from_payload(payload, Phase::PollReady),
            };
            self.broken = Some(Box::new(failure));
        }
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let exchange = self.config.begin(&mut request);
        if let Some(failure) = &self.broken {
            ignore_panic(|| drop(request));
            return ResponseFuture::failed(Failure::clone(failure), exchange);
        }
        match catch(|| self.inner.call(request)) {
            Ok(future) => ResponseFuture::running(future, exchange),
            Err(payload) => {
                ResponseFuture::failed(Failure::from_payload(payload, Phase::Call), exchange)
            }
        }
    }
}

impl<S: Clone, C: Clone> Clone for ExceptionService<S, C> {
    fn clone(&self) -> Self {
        Self::with_config(self.inner.clone(), self.config.clone())
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
