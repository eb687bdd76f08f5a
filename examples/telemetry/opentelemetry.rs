//! An observer that records each failure in the span of its request, by OpenTelemetry's API.
//!
//! ```text
//! cargo run --example opentelemetry --features axum,tracing
//! curl -X POST http://127.0.0.1:3000/orders/7
//! ```
//!
//! A server of your own adds an exporter, such as that of `opentelemetry-otlp`. Here there is none.

mod shop;

use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::{Next, from_fn},
    response::Response,
};
use opentelemetry::{
    Context, KeyValue,
    context::FutureExt as _,
    global,
    trace::{SpanKind, Status, TraceContextExt as _, Tracer as _, get_active_span},
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tower_exception::{Caught, Outcome, telemetry};
use tracing::Level;

fn record_in_span(caught: &Caught, outcome: Outcome) {
    let route = caught.request().get::<MatchedPath>();
    get_active_span(|span| {
        span.record_error(caught.outermost());
        let mechanism = caught.mechanism().as_str();
        span.set_attribute(KeyValue::new("tower_exception.mechanism", mechanism));
        if let Some(location) = caught.location() {
            span.set_attribute(KeyValue::new(
                "tower_exception.location",
                location.to_string(),
            ));
        }
        if let Some(route) = route {
            span.set_attribute(KeyValue::new("http.route", route.as_str().to_owned()));
        }
        if telemetry::default_level(caught, outcome) == Level::ERROR {
            span.set_status(Status::error(""));
        }
    });
}

/// Runs the rest of a request in a span.
async fn in_span(request: Request, next: Next) -> Response {
    let span = global::tracer("shop")
        .span_builder(request.method().to_string())
        .with_kind(SpanKind::Server)
        .start(&global::tracer("shop"));
    let context = Context::current_with_span(span);
    let response = next.run(request).with_context(context.clone()).await;
    let status = i64::from(response.status().as_u16());
    let status = KeyValue::new("http.response.status_code", status);
    context.span().set_attribute(status);
    response
}

/// Returns the shop. The span is outside of the layer, so that observers run in it.
pub fn app() -> Router {
    shop::routes()
        .layer(shop::layer().observe(record_in_span))
        .layer(from_fn(in_span))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    global::set_tracer_provider(SdkTracerProvider::builder().build());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app()).await
}
