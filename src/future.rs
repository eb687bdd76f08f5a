//! The response future.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{
    adopt::{AdoptingResponse, ReadResponse},
    body::{self, ExceptionBody},
    caught::{IntoFailure, Mechanism, Phase, failure::Failure},
    error::BoxError,
    exchange::{AnswerBody, BodyContext, Exchange, Inspection, LayerConfig, Unconfigured},
    raise::poll::catch_poll,
    unwind::ignore_panic,
};

pin_project! {
    /// Response future of [`ExceptionService`](crate::ExceptionService). It always resolves to a response.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future of the inner service, or of the async handler that is running.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, B, C: LayerConfig = Unconfigured> {
        #[pin]
        state: State<F, B>,
        exchange: C::Exchange,
    }

    /// A failure that has yet to be handled is reported, if the client leaves.
    impl<F, B, C: LayerConfig> PinnedDrop for ResponseFuture<F, B, C> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let StateProjection::Done { unhandled } = this.state.project() {
                if let Some(unhandled) = unhandled.take() {
                    abandon::<B, C>(*unhandled, this.exchange);
                }
            }
        }
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B> {
        /// The inner future is running.
        Running { #[pin] future: F },
        /// The inner future has completed and been dropped; its result is being handled.
        Done { unhandled: Option<Box<Unhandled<B>>> },
    }
}

/// A result of the inner service that has yet to be handled.
enum Unhandled<B> {
    /// The inner service failed without a future.
    Failed(Failure),
    /// An error response is being read.
    Adopting(AdoptingResponse<B>),
    /// An async handler is deciding about a response that carries a failure.
    Held(Response<B>),
}

impl<F, B, C: LayerConfig> ResponseFuture<F, B, C> {
    #[inline]
    pub(crate) fn running(future: F, exchange: C::Exchange) -> Self {
        Self {
            state: State::Running { future },
            exchange,
        }
    }

    #[cold]
    pub(crate) fn failed(failure: Failure, exchange: C::Exchange) -> Self {
        let unhandled = Some(Box::new(Unhandled::Failed(failure)));
        Self {
            state: State::Done { unhandled },
            exchange,
        }
    }
}

/// The output of a poll: a response with the layer's body.
type ResponsePoll<B, C> = Poll<Result<Response<ExceptionBody<B, C>>, Infallible>>;

impl<F, E, B, C> Future for ResponseFuture<F, B, C>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: IntoFailure,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    C: LayerConfig,
{
    type Output = Result<Response<ExceptionBody<B, C>>, Infallible>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // 1. After the inner future: continue with its result.
        let StateProjection::Running { future } = this.state.as_mut().project() else {
            return poll_unhandled::<F, B, C>(this.state, this.exchange, cx);
        };
        // 2. Poll the inner future.
        let polled = catch_poll(cx, |cx| future.poll(cx));
        // A reference to the response that is moved out would be one more copy of it.
        let is_inspected = match &polled {
            Ok(Poll::Ready(Ok(response))) => this.exchange.inspects(response),
            _ => false,
        };
        let failure = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(response))) => {
                if is_inspected {
                    return poll_inspected::<F, B, C>(this.state, this.exchange, response, cx);
                }
                let context = this.exchange.pass();
                let guard = |body| ExceptionBody::guard(body, context);
                return Poll::Ready(Ok(response.map(guard)));
            }
            Ok(Poll::Ready(Err(error))) => error.into_failure(Phase::Future),
            Err(payload) => Failure::from_payload(payload, Phase::Future),
        };
        // 3. Drop it before the failure is handled, so that it releases its resources.
        drop_inner(this.state);
        let response = ready!(this.exchange.handle(failure, cx));
        Poll::Ready(Ok(send::<B, C>(this.exchange, response)))
    }
}

#[cold]
fn abandon<B, C: LayerConfig>(unhandled: Unhandled<B>, exchange: &mut C::Exchange) {
    match unhandled {
        Unhandled::Failed(failure) => exchange.abandon(failure),
        Unhandled::Adopting(adopting) => {
            if let Some(exception) = adopting.into_exception() {
                let mechanism = Mechanism::Adopted;
                exchange.abandon(Failure::exception(exception, mechanism, Phase::Body));
            }
        }
        // The exchange reports the failure that its handler has.
        Unhandled::Held(response) => ignore_panic(|| drop(response)),
    }
}

fn drop_inner<F, B>(mut state: Pin<&mut State<F, B>>) {
    ignore_panic(|| state.set(State::Done { unhandled: None }));
}

/// Inspects the response of the inner service.
fn poll_inspected<F, B, C>(
    state: Pin<&mut State<F, B>>,
    exchange: &mut C::Exchange,
    response: Response<B>,
    cx: &mut Context<'_>,
) -> ResponsePoll<B, C>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    C: LayerConfig,
{
    let inspection = exchange.inspect(response, cx);
    continue_inspected::<F, B, C>(state, exchange, inspection, cx)
}

/// Continues after the response of the inner service was inspected.
fn continue_inspected<F, B, C>(
    mut state: Pin<&mut State<F, B>>,
    exchange: &mut C::Exchange,
    inspection: Inspection<B>,
    cx: &mut Context<'_>,
) -> ResponsePoll<B, C>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    C: LayerConfig,
{
    match inspection {
        Inspection::Pass(mut response) => {
            let mut context = exchange.finish();
            if context.status_encoding().is_none() || !body::claim(&mut response) {
                let guard = |body| ExceptionBody::guard(body, context);
                return Poll::Ready(Ok(response.map(guard)));
            }
            context.set_response_head(response.headers());
            let guard = |body| ExceptionBody::guard_grpc(body, context);
            Poll::Ready(Ok(response.map(guard)))
        }
        Inspection::Replace(response) => {
            drop_inner(state);
            Poll::Ready(Ok(send::<B, C>(exchange, ready!(response))))
        }
        Inspection::Hold(response) => {
            let unhandled = Some(Box::new(Unhandled::Held(response)));
            ignore_panic(|| state.set(State::Done { unhandled }));
            Poll::Pending
        }
        Inspection::Adopt(adopting) => {
            let unhandled = Some(Box::new(Unhandled::Adopting(adopting)));
            ignore_panic(|| state.set(State::Done { unhandled }));
            poll_unhandled::<F, B, C>(state, exchange, cx)
        }
    }
}

/// Continues after the inner future has completed.
#[cold]
fn poll_unhandled<F, B, C>(
    mut state: Pin<&mut State<F, B>>,
    exchange: &mut C::Exchange,
    cx: &mut Context<'_>,
) -> ResponsePoll<B, C>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    C: LayerConfig,
{
    let response = match state.as_mut().project() {
        StateProjection::Done { unhandled } => match unhandled.as_deref_mut() {
            Some(Unhandled::Adopting(adopting)) => {
                let read = ready!(adopting.poll(cx));
                *unhandled = None;
                match read {
                    ReadResponse::Text(adopted) => exchange.handle_adopted(adopted, cx),
                    ReadResponse::Unwound(payload) => {
                        exchange.handle(Failure::from_payload(payload, Phase::Body), cx)
                    }
                    ReadResponse::Other(response) => {
                        let mut context = exchange.finish();
                        context.set_response_head(response.headers());
                        let replay = |body| ExceptionBody::replay(body, context);
                        return Poll::Ready(Ok(response.map(replay)));
                    }
                }
            }
            Some(Unhandled::Failed(_) | Unhandled::Held(_)) | None => {
                match unhandled.take().map(|it| *it) {
                    Some(Unhandled::Failed(failure)) => exchange.handle(failure, cx),
                    Some(Unhandled::Held(response)) => {
                        let inspection = exchange.poll_held(response, cx);
                        return continue_inspected::<F, B, C>(state, exchange, inspection, cx);
                    }
                    _ => exchange.poll(cx),
                }
            }
        },
        StateProjection::Running { .. } => exchange.poll(cx),
    };
    Poll::Ready(Ok(send::<B, C>(exchange, ready!(response))))
}

/// Sends a response that the layer or a handler has made.
#[inline]
fn send<B, C: LayerConfig>(
    exchange: &mut C::Exchange,
    response: Response<AnswerBody>,
) -> Response<ExceptionBody<B, C>> {
    let mut context = exchange.finish();
    context.set_response_head(response.headers());
    response.map(|body| ExceptionBody::answer(body, context))
}

impl<F, B, C: LayerConfig> fmt::Debug for ResponseFuture<F, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
