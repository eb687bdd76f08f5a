//! The layers around the service.

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_exception::{Caught, ExceptionLayer, HttpException, WebSockets, config::Configured};

use crate::{
    app::{Boxed, Known, KnownLate, X_ID, app, value, wait},
    case::{Case, STACKS, Stack},
    ledger::{Side, observer},
};

/// Returns a service that passes each request through the layers that its path names.
pub fn service(websockets: &WebSockets) -> Boxed {
    let stacks = STACKS.map(|stack| stack_of(stack, websockets));
    service_fn(move |request: Request<Incoming>| {
        let case = Case::of_path(request.uri().path()).expect("the path of a case");
        let at = STACKS.iter().position(|stack| *stack == case.stack);
        stacks[at.unwrap()].clone().oneshot(request)
    })
    .boxed_clone()
}

fn stack_of(stack: Stack, websockets: &WebSockets) -> Boxed {
    let unconfigured = ExceptionLayer::new();
    let outer = configured(Side::Outer, websockets);
    let inner = configured(Side::Inner, websockets);
    let layers = ServiceBuilder::new();
    match stack {
        Stack::Unconfigured => boxed(layers.layer(unconfigured)),
        Stack::Configured => boxed(layers.layer(inner)),
        Stack::UnconfiguredInConfigured => boxed(layers.layer(outer).layer(unconfigured)),
        Stack::ConfiguredInUnconfigured => boxed(layers.layer(unconfigured).layer(inner)),
        Stack::ConfiguredInConfigured => boxed(layers.layer(outer).layer(inner)),
    }
}

fn boxed<L, S, B>(layers: ServiceBuilder<L>) -> Boxed
where
    L: Layer<Boxed, Service = S>,
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let service = layers.service(app());
    let service = service.map_response(|response| response.map(Body::new));
    service.map_err(Into::into).boxed_clone()
}

fn configured(side: Side, websockets: &WebSockets) -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .on(|error: Caught<Known>| reply(&error.0, error.request().uri().path()))
        .on(|error: Caught<KnownLate>| async move {
            wait(error.0).await;
            reply(&error.0, error.request().uri().path())
        })
        .adopt_error_responses()
        .observe(observer(side))
        .with_websockets(websockets.clone())
}

/// Returns the reply of the handlers, which names the error and the request.
fn reply(case: &Case, path: &str) -> HttpException {
    HttpException::new(StatusCode::IM_A_TEAPOT)
        .with_detail(format!("handled {} at {path}", case.mark()))
        .with_header(X_ID, value(&case.mark()))
}
