//! Warnings in the log about the parts that a client did not receive.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::json;
use tonic::Status;
use tower_exception::HttpException;
use tracing::Level;

use crate::{supplemented, support::log::Log};

/// Returns the fields of all warnings.
fn warnings(log: &Log) -> Vec<[Option<String>; 3]> {
    let events = log.events().into_iter();
    let warnings = events.map(|event| {
        assert_eq!(event.level, Level::WARN, "{event:?}");
        ["name", "part", "why"].map(|name| event.get(name).map(str::to_owned))
    });
    warnings.collect()
}

fn texts(fields: [Option<&str>; 3]) -> [Option<String>; 3] {
    fields.map(|field| field.map(str::to_owned))
}

#[test]
fn nothing_is_logged_if_a_client_receives_all_of_it() {
    let log = Log::start();
    let _ = Status::from(supplemented());
    let _ = Status::from(supplemented().with_type("/problems/sold-out"));
    assert!(warnings(&log).is_empty());
}

#[test]
fn details_that_do_not_fit_are_logged_by_their_part() {
    let log = Log::start();
    let long = "l".repeat(20_000);
    let exception = supplemented().try_with_member("log", &long).unwrap();
    let _ = Status::from(exception.with_title(long).with_detail(json!([1])));
    let parts = ["the members", "the JSON", "the type"];
    let why = Some("it is too long");
    let expected = parts.map(|part| texts([None, Some(part), why]));
    assert_eq!(warnings(&log), expected);
}

#[test]
fn a_member_that_protocol_buffers_cannot_hold_is_logged_by_its_name() {
    let log = Log::start();
    let deep = (0..120).fold(json!("hunter2"), |inner, _| json!([inner]));
    let exception = supplemented().try_with_member("de\nep", &deep).unwrap();
    let _ = Status::from(exception);
    assert_eq!(warnings(&log), [texts([Some(r"de\nep"), None, None])]);
    assert!(!format!("{:?}", log.only_event()).contains("hunter2"));
}

#[test]
fn a_time_to_wait_that_finds_no_room_among_the_headers_is_logged() {
    let mut exception = HttpException::gone("sold out");
    for i in 0..40_000 {
        let name = HeaderName::try_from(format!("x-{i}")).unwrap();
        let value = HeaderValue::from_static("v");
        let _ = exception.headers_mut().try_append(name, value);
    }
    let log = Log::start();
    let exception = exception.with_retry_after(Duration::from_secs(1));
    assert!(!exception.headers().contains_key("retry-after"));
    let why = Some("there are too many headers");
    assert_eq!(warnings(&log), [texts([Some("retry-after"), None, why])]);
}
