//! The layers, each in three stacks.

use std::time::Duration;

use axum::{Router, body::Body};
use http::{
    HeaderName, HeaderValue, Request, StatusCode,
    header::{AUTHORIZATION, SET_COOKIE},
};
use tower::ServiceBuilder;
use tower_exception::{ExceptionLayer, render::Json};
use tower_http::{
    add_extension::AddExtensionLayer,
    auth::AddAuthorizationLayer,
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    cors::CorsLayer,
    csrf::CsrfLayer,
    decompression::{DecompressionLayer, RequestDecompressionLayer},
    limit::RequestBodyLimitLayer,
    map_request_body::MapRequestBodyLayer,
    map_response_body::MapResponseBodyLayer,
    metrics::InFlightRequestsLayer,
    normalize_path::NormalizePathLayer,
    on_early_drop::OnEarlyDropLayer,
    propagate_header::PropagateHeaderLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    sensitive_headers::SetSensitiveHeadersLayer,
    set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer},
    set_status::SetStatusLayer,
    timeout::{RequestBodyTimeoutLayer, ResponseBodyTimeoutLayer, TimeoutLayer},
    trace::TraceLayer,
    validate_request::ValidateRequestHeaderLayer,
};

/// Effect of a layer that a client can see.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// It changes a response.
    OnResponses,
    /// A client sees nothing of it, unless the layer refuses a request.
    None,
    /// It takes a raised exception for a panic.
    CatchesPanics,
}

/// One layer: alone, outside of an `ExceptionLayer`, and inside of one.
///
/// The two layers are in one `ServiceBuilder`, so that neither gets the body of a router.
pub struct Stack {
    pub name: &'static str,
    pub effect: Effect,
    pub alone: fn(Router) -> Router,
    pub outside: fn(Router) -> Router,
    pub inside: fn(Router) -> Router,
    /// Inside of a layer that renders attached exceptions anew.
    pub inside_configured: fn(Router) -> Router,
}

macro_rules! stacks {
    ($($name:literal $effect:ident $layer:expr;)*) => {
        pub const STACKS: &[Stack] = &[$(Stack {
            name: $name,
            effect: Effect::$effect,
            alone: |routes| routes.layer($layer),
            outside: |routes| {
                let stack = ServiceBuilder::new().layer($layer).layer(ExceptionLayer::new());
                routes.layer(stack)
            },
            inside: |routes| {
                let stack = ServiceBuilder::new().layer(ExceptionLayer::new()).layer($layer);
                routes.layer(stack)
            },
            inside_configured: |routes| {
                let configured = ExceptionLayer::new().with_renderer(Json);
                routes.layer(ServiceBuilder::new().layer(configured).layer($layer))
            },
        }),*];
    };
}

/// A duration that no test reaches.
const LONG: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Numbered;

impl MakeRequestId for Numbered {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        Some(RequestId::new(HeaderValue::from_static("1")))
    }
}

fn name(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

fn value(value: &'static str) -> HeaderValue {
    HeaderValue::from_static(value)
}

stacks! {
    "add-extension" None AddExtensionLayer::new(7_u8);
    "auth" None AddAuthorizationLayer::bearer("letmein");
    "catch-panic" CatchesPanics CatchPanicLayer::new();
    "compression" OnResponses CompressionLayer::new();
    "cors" OnResponses CorsLayer::permissive();
    "csrf" None CsrfLayer::new();
    "decompression" None DecompressionLayer::new();
    "decompression of requests" None RequestDecompressionLayer::new();
    "limit" None RequestBodyLimitLayer::new(1024);
    "map-request-body" None MapRequestBodyLayer::new(Body::new);
    "map-response-body" None MapResponseBodyLayer::new(|body| {
        let limit = 1024;
        http_body_util::Limited::new(body, limit)
    });
    "metrics" None InFlightRequestsLayer::pair().0;
    "normalize-path" None NormalizePathLayer::trim_trailing_slash();
    "on-early-drop" None OnEarlyDropLayer::builder();
    "propagate-header" OnResponses PropagateHeaderLayer::new(name("x-tenant"));
    "request-id" None SetRequestIdLayer::x_request_id(Numbered);
    "request-id to the response" OnResponses PropagateRequestIdLayer::x_request_id();
    "sensitive-headers" None SetSensitiveHeadersLayer::new([AUTHORIZATION, SET_COOKIE]);
    "set-header" OnResponses
        SetResponseHeaderLayer::overriding(name("x-frame-options"), value("DENY"));
    "set-header of requests" None
        SetRequestHeaderLayer::overriding(name("x-tenant"), value("other"));
    "set-status" OnResponses SetStatusLayer::new(StatusCode::IM_A_TEAPOT);
    "timeout" None TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, LONG);
    "timeout of request bodies" None RequestBodyTimeoutLayer::new(LONG);
    "timeout of response bodies" OnResponses ResponseBodyTimeoutLayer::new(LONG);
    "trace" None TraceLayer::new_for_http();
    "validate-request" None ValidateRequestHeaderLayer::accept("application/json");
}
