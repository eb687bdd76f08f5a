//! Raises below two layers, below none, in stacks of tower's layers, and in the parts of a service
//! that are not its future.

use std::{
    convert::Infallible,
    future::{Future, Ready, pending, ready},
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use futures_executor::block_on;
use futures_util::FutureExt;
use http::HeaderValue;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn, util::BoxService};
use tower_exception::{
    Caught, CloseCode, ExceptionLayer, ExceptionService, HttpException, WebSocketException,
    render::Rendered,
};

use crate::{guard::*, request::*};

fn in_upper_case(exception: &HttpException, _: &Caught) -> Rendered {
    let text = exception.to_string().to_uppercase();
    Rendered::new(HeaderValue::from_static("text/plain"), text)
}

#[tokio::test]
async fn the_inner_one_of_two_layers_catches() {
    for waits in [false, true] {
        let trace = Trace::default();
        let inner = service_fn(|_: HttpRequest| async {
            if waits {
                tokio::task::yield_now().await;
            }
            raise::<HttpResult>(trace.clone()).await
        });
        let layers = ServiceBuilder::new()
            .layer(ExceptionLayer::new())
            .layer(ExceptionLayer::new());
        ask(layers.service(inner)).await.assert_exception();
        assert_eq!(trace.left(), [Left::Dropped]);
    }
}

#[tokio::test]
async fn the_outer_layer_may_render_anew() {
    let inner = service_fn(|_: HttpRequest| exception().raise_async::<HttpResult>());
    let layers = ServiceBuilder::new()
        .layer(ExceptionLayer::new().with_renderer(in_upper_case))
        .layer(ExceptionLayer::new());
    let response = ask(layers.service(inner)).await;
    response.assert(404, exception().to_string().to_uppercase());
}

/// Returns a service that calls the inner service and then raises.
fn calls_and_raises<S>(
    service: S,
) -> impl Service<HttpRequest, Response = HttpResponse, Error = BoxError>
where
    S: Service<HttpRequest, Error = Infallible> + Clone,
{
    service_fn(move |request| {
        let inside = service.clone().oneshot(request);
        async {
            let _response = inside.await;
            HttpException::gone("raised between the layers")
                .raise_async()
                .await
        }
    })
}

#[tokio::test]
async fn a_raise_between_two_layers_is_caught_by_the_outer_one() {
    let inner = service_fn(|_: HttpRequest| exception().raise_async::<HttpResult>());
    let inner = ExceptionLayer::new().layer(inner);
    let response = ask(ExceptionLayer::new().layer(calls_and_raises(inner))).await;
    response.assert(410, r#"{"detail":"raised between the layers"}"#);
}

#[tokio::test]
async fn raises_between_two_layers_and_below_both_are_caught_separately() {
    let trace = Trace::default();
    let between = service_fn(|request: HttpRequest| async {
        let inner = service_fn(|_: HttpRequest| raise::<HttpResult>(trace.clone()));
        let inner = ExceptionLayer::new().layer(inner);
        let first = HttpException::gone("first").raise_async::<HttpResult>();
        let (_, inner) = tokio::join!(first, inner.oneshot(request));
        assert_eq!(
            inner.unwrap().status(),
            404,
            "the inner layer has handled its own exception"
        );
        ok("")
    });
    let response = ask(ExceptionLayer::new().layer(between)).await;
    response.assert(410, r#"{"detail":"first"}"#);
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn a_raise_under_no_layer_unwinds() {
    let hooks = panic_hook_runs();
    let trace = Trace::default();
    let payload = AssertUnwindSafe(raise::<()>(trace.clone()))
        .catch_unwind()
        .await;
    assert_eq!(
        payload
            .unwrap_err()
            .downcast_ref::<HttpException>()
            .unwrap()
            .to_string(),
        exception().to_string(),
    );
    assert_eq!(trace.left(), [Left::Unwound]);

    let refusal = WebSocketException::new(CloseCode::NORMAL_CLOSURE).raise_async::<()>();
    let payload = AssertUnwindSafe(refusal).catch_unwind().await;
    assert!(payload.unwrap_err().is::<WebSocketException>());
    assert_eq!(panic_hook_runs(), hooks);
}

#[test]
fn a_layer_that_is_not_being_polled_catches_nothing() {
    // Not even with the context that the layer was polled with before.
    let mut cx = Context::from_waker(Waker::noop());
    let waits = service_fn(|_: HttpRequest| pending::<HttpResult>());
    let mut waits = pin!(
        ExceptionLayer::new()
            .layer(waits)
            .oneshot(HttpRequest::default())
    );
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    let trace = Trace::default();
    let mut raising = pin!(raise::<()>(trace.clone()));
    let unwinding = std::panic::catch_unwind(AssertUnwindSafe(|| raising.as_mut().poll(&mut cx)));
    assert!(unwinding.is_err());
    assert_eq!(trace.left(), [Left::Unwound]);
}

#[test]
fn a_layer_whose_poll_unwound_catches_nothing() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut panics = pin!(tower_exception::catch(async {
        std::panic::resume_unwind(Box::new("a panic"))
    }));
    let mut poll = AssertUnwindSafe(|| panics.as_mut().poll(&mut cx).map(|_: Result<(), _>| ()));
    assert!(std::panic::catch_unwind(move || (*poll)()).is_err());
    let unwinding = AssertUnwindSafe(|| pin!(exception().raise_async::<()>()).poll(&mut cx));
    assert!(std::panic::catch_unwind(unwinding).is_err());
}

#[tokio::test]
async fn a_raise_in_the_synchronous_part_of_call_unwinds() {
    let trace = Trace::default();
    let service = service_fn(|_: HttpRequest| -> Ready<HttpResult> {
        block_on(raise::<()>(trace.clone()));
        ready(ok("called"))
    });
    ask(ExceptionLayer::new().layer(service))
        .await
        .assert_exception();
    assert_eq!(trace.left(), [Left::Unwound]);
}

/// A service that becomes ready when its future does, and cannot be called.
struct GetsReady<F>(Pin<Box<F>>);

impl<F: Future<Output = ()>> Service<HttpRequest> for GetsReady<F> {
    type Response = HttpResponse;
    type Error = BoxError;
    type Future = Ready<HttpResult>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        ready!(self.0.as_mut().poll(cx));
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: HttpRequest) -> Ready<HttpResult> {
        unreachable!("the service was never ready")
    }
}

#[tokio::test]
async fn a_raise_in_poll_ready_needs_no_unwinding() {
    let trace = Trace::default();
    let raises = trace.clone();
    let service = GetsReady(Box::pin(async {
        tokio::task::yield_now().await;
        raise(raises).await
    }));
    let mut service = ExceptionLayer::new().layer(service);
    for _ in 0..3 {
        ask(&mut service).await.assert_exception();
    }
    // The broken service still owns its future.
    assert_eq!(trace.left(), []);
    drop(service);
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn a_raise_in_poll_ready_of_a_called_service_needs_no_unwinding() {
    assert_caught(Left::Dropped, |trace| async {
        GetsReady(Box::pin(raise(trace)))
            .oneshot(HttpRequest::default())
            .await
    })
    .await;
}

#[tokio::test]
async fn a_raise_below_a_stack_of_towers_layers_is_caught() {
    let trace = Trace::default();
    let inner = trace.clone();
    let service = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .load_shed()
        .layer(BoxService::layer())
        .buffer(4)
        .concurrency_limit(4)
        .timeout(LIMIT)
        .service_fn(move |_: HttpRequest| raise::<HttpResult>(inner.clone()));
    ask(service).await.assert_exception();
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn a_layer_below_a_buffer_catches() {
    let trace = Trace::default();
    let inner = trace.clone();
    let service = ServiceBuilder::new()
        .buffer(4)
        .layer(ExceptionLayer::new())
        .service_fn(move |_: HttpRequest| raise::<HttpResult>(inner.clone()));
    ask(service).await.assert_exception();
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn a_raise_passes_through_layers_that_catch_panics_and_time_out() {
    // These layers pass on their context, so a raise passes through.
    let service = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .layer(tower_http::catch_panic::CatchPanicLayer::new())
        .layer(tower_http::timeout::TimeoutLayer::with_status_code(
            http::StatusCode::GATEWAY_TIMEOUT,
            Duration::from_secs(60),
        ))
        .service_fn(|_: HttpRequest| exception().raise_async::<HttpResult>());
    ask(service).await.assert_exception();
}

#[tokio::test]
async fn one_service_serves_many_requests() {
    let mut service: ExceptionService<_> =
        ExceptionLayer::new().layer(service_fn(|request: HttpRequest| async move {
            match request.uri().path().len() % 2 {
                0 => exception().raise_async().await,
                _ => ok("odd"),
            }
        }));
    for length in 1..100 {
        let uri = format!("/{}", "x".repeat(length - 1));
        let request = HttpRequest::new(Default::default());
        let (mut parts, body) = request.into_parts();
        parts.uri = uri.parse().unwrap();
        let request = HttpRequest::from_parts(parts, body);
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(response.status(), if length % 2 == 0 { 404 } else { 200 });
    }
}
