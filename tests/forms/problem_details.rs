//! Documents of the crate `problem_details`, to an exception and back.

use std::collections::HashMap;

use axum::{Router, routing::get};
use http::StatusCode;
use problem_details::ProblemDetails;
use serde_json::{Map, Value, json, value::RawValue};
use tower_exception::{ExceptionLayer, HttpException, render::Problem};

use crate::{
    caught::render,
    supplemented,
    support::{
        Server,
        log::Log,
        problem_document::{problem_document, problem_in},
    },
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

#[test]
fn a_type_that_a_uri_cannot_hold_survives_both_conversions() {
    for reference in [
        "https://shop.example/problems#sold-out",
        "../sold-out",
        "https://shop.example",
        "tag:shop.example,2026:sold-out",
    ] {
        let exception = HttpException::gone("sold out").with_type(reference);
        let details = ProblemDetails::from(exception);
        assert_eq!(serde_json::to_value(&details).unwrap()["type"], reference);
        let exception = HttpException::from(details);
        assert_eq!(exception.problem_type(), Some(reference));
    }
}

#[test]
fn a_member_that_rust_cannot_hold_takes_no_other_one_with_it() {
    let lone = || RawValue::from_string(r#""\ud800""#.to_owned()).unwrap();
    let exception = HttpException::conflict(lone())
        .with_code("odd")
        .try_with_member("lone", &lone())
        .unwrap();
    let details = ProblemDetails::from(exception);
    let expected = json!({ "title": "Conflict", "status": 409, "code": "odd" });
    assert_eq!(serde_json::to_value(&details).unwrap(), expected);
}

#[test]
fn extensions_that_are_no_object_are_logged() {
    let log = Log::start();
    let gone = || ProblemDetails::from_status_code(StatusCode::GONE);
    let exceptions = [
        HttpException::from(gone().with_extensions("hunter2")),
        HttpException::from(gone().with_extensions(HashMap::from([((1, 2), 3)]))),
        HttpException::from(gone()),
    ];
    for exception in exceptions {
        assert_eq!(exception.to_string(), "410: Gone");
        assert_eq!(exception.members().len(), 0);
    }
    assert_eq!(log.events().len(), 2);
    assert!(!format!("{:?}", log.events()).contains("hunter2"));
}

#[tokio::test]
async fn the_question_mark_passes_a_document_on() {
    fn reserve() -> Result<(), Box<ProblemDetails>> {
        let conflict = ProblemDetails::from_status_code(StatusCode::CONFLICT);
        Err(conflict.with_detail("plumbus 7 is sold out").boxed())
    }
    let handler = || async { Ok::<_, HttpException>(reserve()?) };
    let layer = ExceptionLayer::new().with_renderer(Problem::new());
    let app = Router::new().route("/", get(handler)).layer(layer);
    let received = Server::start(app).await.get("/").await;
    let expected = json!({ "title": "Conflict", "status": 409, "detail": "plumbus 7 is sold out" });
    assert_eq!(problem_in(&received), expected);
}
