//! Documents of the crate `problem_details`, to an exception and back.

use std::collections::HashMap;

use http::StatusCode;
use problem_details::ProblemDetails;
use serde_json::{Map, Value, json};
use tower_exception::{HttpException, render::Problem};

use crate::{
    caught::render,
    supplemented,
    support::{log::Log, problem_document::problem_document},
};

fn parse(document: Value) -> ProblemDetails<Map<String, Value>> {
    serde_json::from_value(document).unwrap()
}

#[test]
fn a_document_is_the_same_after_both_conversions() {
    for exception in [
        supplemented(),
        HttpException::gone("sold out"),
        StatusCode::from_u16(599).unwrap().into(),
        HttpException::conflict(json!({ "left": 1 })),
        HttpException::invalid()
            .at("/a", "is odd")
            .at_query("page", "is odd"),
    ] {
        let rendered = render(&Problem::new(), &exception);
        let document = problem_document(rendered.body(), exception.status());
        let details = ProblemDetails::from(exception);
        assert_eq!(serde_json::to_value(&details).unwrap(), document);
        assert_eq!(details, parse(document));
    }
    let received = HttpException::from(ProblemDetails::from(supplemented()));
    let rendered = [received, supplemented()].map(|exception| {
        let rendered = render(&Problem::new(), &exception);
        problem_document(rendered.body(), exception.status())
    });
    assert_eq!(rendered[0], rendered[1]);
}

#[test]
fn each_part_of_a_document_is_that_of_the_exception() {
    let details = parse(json!({
        "type": "https://shop.example/problems/sold-out",
        "title": "Sold out",
        "status": 409,
        "detail": "plumbus 7 is sold out",
        "instance": "/items/7",
        "code": "sold-out",
        "retry_after": 60,
        "left": 0,
    }));
    let exception = HttpException::from(details);
    assert_eq!(exception.to_string(), "409: plumbus 7 is sold out");
    assert_eq!(exception.title(), Some("Sold out"));
    assert_eq!(exception.code(), Some("sold-out"));
    assert_eq!(exception.headers()["retry-after"], "60");
    let members: Vec<_> = exception
        .members()
        .map(|(name, json)| (name, json.get()))
        .collect();
    assert_eq!(members, [("left", "0")]);
    assert_eq!(exception.location().file(), file!());

    let exception = HttpException::from(ProblemDetails::new());
    assert_eq!(exception.to_string(), "500: Internal Server Error");
}

#[test]
fn a_member_with_a_reserved_name_is_logged() {
    let log = Log::start();
    let extensions = HashMap::from([("errors", json!(["hunter2"]))]);
    let details = ProblemDetails::new().with_extensions(extensions);
    assert_eq!(HttpException::from(details).members().len(), 0);
    let event = log.only_event();
    assert_eq!(event.level, tracing::Level::WARN);
    assert_eq!(event.get("error"), Some("the member `errors` is reserved"));
    assert!(!format!("{event:?}").contains("hunter2"));
}
