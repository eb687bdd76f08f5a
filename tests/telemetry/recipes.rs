//! The recipes of the guide: the examples report to Sentry and to OpenTelemetry.

use http::Method;
use opentelemetry::{global, trace::Status};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use sentry::{Level, test::with_captured_events};

use crate::support::{Server, request};

#[path = "../../examples/telemetry/opentelemetry.rs"]
#[allow(dead_code, reason = "the test does not run `main`")]
mod with_opentelemetry;

#[path = "../../examples/telemetry/sentry.rs"]
#[allow(dead_code, reason = "the test does not run `main`")]
mod with_sentry;

/// Posts to each path of `app`, on this thread.
fn post(app: axum::Router, paths: &[&str]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = Server::start_axum(app).await;
        for path in paths {
            server.send(request(Method::POST, path)).await;
        }
    });
}

#[test]
fn sentry_receives_the_failures_of_the_server() {
    let events = with_captured_events(|| post(with_sentry::app(), &["/orders/0", "/orders/7"]));
    assert_eq!(events.len(), 1, "{events:#?}");
    let event = &events[0];
    assert_eq!(event.level, Level::Error);
    assert_eq!(event.transaction.as_deref(), Some("/orders/{id}"));
    assert_eq!(event.tags["mechanism"], "attached");
    let exceptions: Vec<_> = event
        .exception
        .iter()
        .map(|exception| (&*exception.ty, exception.value.as_deref()))
        .collect();
    assert_eq!(
        exceptions,
        [
            ("Custom", Some("no reply for order 7")),
            ("DatabaseError", Some("the order was not stored")),
        ]
    );
    let stacktrace = event.exception[1].stacktrace.as_ref().unwrap();
    let file = stacktrace.frames[0].filename.as_deref().unwrap();
    assert!(file.ends_with("telemetry/shop.rs"), "{file}");
    let method = event
        .request
        .as_ref()
        .and_then(|request| request.method.as_deref());
    assert_eq!(method, Some("POST"));
}

#[test]
fn the_span_of_a_request_has_its_failure() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    global::set_tracer_provider(provider);
    post(with_opentelemetry::app(), &["/orders/0", "/orders/7"]);
    let spans = exporter.get_finished_spans().unwrap();
    let [refused, failed] = &spans[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!(
        (&refused.status, &failed.status),
        (&Status::Unset, &Status::error(""))
    );
    for (span, message, status) in [
        (refused, "404: no such order", 404),
        (failed, "the order was not stored", 500),
    ] {
        let value = |name| {
            let mut attributes = span.attributes.iter();
            let found = attributes.find(|attribute| attribute.key.as_str() == name);
            found.map(|attribute| attribute.value.to_string())
        };
        assert_eq!(value("http.response.status_code"), Some(status.to_string()));
        assert_eq!(value("http.route").as_deref(), Some("/orders/{id}"));
        assert!(
            value("tower_exception.location")
                .unwrap()
                .contains("shop.rs:")
        );
        assert_eq!(span.events.len(), 1, "{span:#?}");
        let event = &span.events.events[0];
        assert_eq!(event.name, "exception");
        let message = ("exception.message", message.to_owned());
        let attributes = event.attributes.iter();
        let attributes: Vec<_> = attributes
            .map(|it| (it.key.as_str(), it.value.to_string()))
            .collect();
        assert!(attributes.contains(&message), "{attributes:?}");
    }
}

#[test]
fn the_guide_shows_the_observers_of_the_examples() {
    let guide = include_str!("../../src/docs/telemetry.md");
    let blocks: Vec<_> = guide.split("```rust,ignore\n").skip(1).collect();
    let examples = [
        include_str!("../../examples/telemetry/sentry.rs"),
        include_str!("../../examples/telemetry/opentelemetry.rs"),
    ];
    assert_eq!(blocks.len(), examples.len());
    for (block, example) in blocks.iter().zip(examples) {
        let (code, _) = block.split_once("```").unwrap();
        assert!(example.contains(code), "{code}");
    }
}
