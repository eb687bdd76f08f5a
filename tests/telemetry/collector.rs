//! The view of a collector: the log record that OpenTelemetry's SDK exports for one failure.

use std::fmt::Write as _;

use http::Method;
use opentelemetry::logs::AnyValue;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLogRecord, SdkLoggerProvider};
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    shop,
    support::{Server, request},
};

/// Returns the records that OpenTelemetry exports for a request to the shop.
async fn exported(path: &str) -> Vec<SdkLogRecord> {
    let exporter = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let bridge = OpenTelemetryTracingBridge::new(&provider);
    let only_this_thread = tracing_subscriber::registry().with(bridge).set_default();
    let server = Server::start_axum(shop::routes().layer(shop::layer())).await;
    server.send(request(Method::POST, path)).await;
    drop(only_this_thread);
    let records = exporter.get_emitted_logs().unwrap();
    let records = records.into_iter().map(|data| data.record);
    records
        .filter(|record| {
            record
                .target()
                .is_some_and(|target| target == "tower_exception")
        })
        .collect()
}

/// Displays a record as the collector's debug exporter does.
fn displayed(record: &SdkLogRecord) -> String {
    let mut text = String::new();
    let severity = record.severity_number().unwrap();
    let name = record.event_name().unwrap();
    writeln!(text, "SeverityText: {}", record.severity_text().unwrap()).unwrap();
    writeln!(text, "SeverityNumber: {severity:?}({})", severity as i32).unwrap();
    writeln!(text, "EventName: {name}").unwrap();
    writeln!(text, "Body: {}", value(record.body().unwrap())).unwrap();
    writeln!(text, "Attributes:").unwrap();
    for (key, attribute) in record.attributes_iter() {
        writeln!(text, "     -> {key}: {}", value(attribute)).unwrap();
    }
    text
}

fn value(value: &AnyValue) -> String {
    match value {
        AnyValue::Int(number) => format!("Int({number})"),
        // The example is a module of this test, and its types and its file are named so.
        AnyValue::String(text) => {
            let text = text.as_str().replace("telemetry::shop::", "shop::");
            format!(
                "Str({})",
                text.replace("tests/telemetry/../../examples/telemetry/", "src/")
            )
        }
        other => panic!("{other:?}"),
    }
}

/// Returns the block of code in the guide that begins with this line.
fn block_of_guide(first_line: &str) -> &'static str {
    let guide = include_str!("../../src/docs/telemetry.md");
    let start = guide
        .find(&format!("```text\n{first_line}\n"))
        .expect("no such block");
    let block = &guide[start + "```text\n".len()..];
    &block[..block.find("```").unwrap()]
}

#[tokio::test]
async fn the_guide_shows_what_a_collector_receives() {
    let records = exported("/orders/7").await;
    assert_eq!(records.len(), 1, "{records:?}");
    let record = displayed(&records[0]);
    assert_eq!(record, block_of_guide("SeverityText: ERROR"), "\n{record}");
}

#[tokio::test]
async fn a_collector_receives_the_code_of_an_exception_as_its_class() {
    let records = exported("/orders/0").await;
    let record = displayed(&records[0]);
    for line in [
        "SeverityText: DEBUG",
        "     -> exception.type: Str(tower_exception::HttpException)",
        "     -> exception.message: Str(404: no such order)",
        "     -> error.type: Str(order-missing)",
        "     -> http.response.status_code: Int(404)",
    ] {
        assert!(record.contains(line), "{line}\n{record}");
    }
}
