//! Problem documents, by the rules of RFC 9457.

use http::StatusCode;
use serde_json::{Value, json};
use tower_exception::{
    Caught, HttpException,
    render::{Members, Problem, request_path},
};

use crate::{
    caught::{body_of, render, render_for},
    support::{log::Log, problem_document::problem_document},
};

fn document(problem: &Problem, exception: &HttpException) -> Value {
    let rendered = render(problem, exception);
    assert_eq!(rendered.content_type(), "application/problem+json");
    problem_document(rendered.body(), exception.status())
}

fn body(exception: HttpException) -> String {
    document(&Problem::new(), &exception);
    body_of(&render(&Problem::new(), &exception)).to_owned()
}

#[test]
fn text_is_the_detail_and_without_it_there_is_none() {
    assert_eq!(
        body(HttpException::not_found("no \"such\" item")),
        r#"{"title":"Not Found","status":404,"detail":"no \"such\" item"}"#
    );
    assert_eq!(
        body(StatusCode::GONE.into()),
        r#"{"title":"Gone","status":410}"#
    );
    let unnamed = StatusCode::from_u16(599).unwrap();
    assert_eq!(body(unnamed.into()), r#"{"status":599}"#);
}

#[test]
fn a_detail_in_json_is_a_member_of_its_own() {
    let of = |detail: Value| body(HttpException::conflict(detail));
    let head = r#"{"title":"Conflict","status":409"#;
    assert_eq!(of(json!(["a", 1])), format!(r#"{head},"errors":["a",1]}}"#));
    assert_eq!(
        of(json!({ "left": 1 })),
        format!(r#"{head},"context":{{"left":1}}}}"#)
    );
    assert_eq!(of(json!(7)), format!(r#"{head},"context":7}}"#));
    assert_eq!(of(json!("text")), format!(r#"{head},"detail":"text"}}"#));
    let lone = serde_json::value::RawValue::from_string(r#""\ud800""#.to_owned()).unwrap();
    let exception = HttpException::conflict(lone);
    let rendered = render(&Problem::new(), &exception);
    assert_eq!(body_of(&rendered), format!(r#"{head},"detail":"\ud800"}}"#));
}

#[test]
fn types_are_named_after_the_reason() {
    let problem = Problem::new().types_under("https://errors.example.com/");
    for (status, expected) in [
        (404, Some("https://errors.example.com/not-found")),
        (418, Some("https://errors.example.com/im-a-teapot")),
        (
            431,
            Some("https://errors.example.com/request-header-fields-too-large"),
        ),
        (599, None),
    ] {
        let exception = HttpException::new(StatusCode::from_u16(status).unwrap());
        let document = document(&problem, &exception);
        let found = document.get("type").and_then(Value::as_str);
        assert_eq!(found, expected);
    }
}

#[test]
fn the_path_of_the_request_is_an_instance_and_never_another_host() {
    let problem = Problem::new().instance(request_path);
    let exception = HttpException::not_found("x");
    for (path, expected) in [
        ("/items/2?token=hunter2", "/items/2"),
        ("//evil.example/x", "/.//evil.example/x"),
    ] {
        let rendered = render_for(&problem, &exception, path, &[]);
        let document = problem_document(rendered.body(), exception.status());
        assert_eq!(document["instance"], expected);
    }
    let without = Problem::new().instance(|_: &Caught| None);
    assert!(document(&without, &exception).get("instance").is_none());
}

#[test]
fn functions_add_members_in_order() {
    let problem = Problem::new()
        .enrich(|members: &mut Members, _: &Caught| members.insert("service", "shop"))
        .enrich(|members: &mut Members, caught: &Caught| {
            members.insert("path", caught.request().uri().path())?;
            members.insert("service", &["shop", "eu"])
        });
    assert_eq!(
        body_of(&render(&problem, &HttpException::gone("x"))),
        r#"{"title":"Gone","status":410,"detail":"x","service":["shop","eu"],"path":"/items/2"}"#
    );
}

#[test]
fn reserved_names_and_values_that_do_not_serialise_are_refused() {
    let problem = Problem::new()
        .enrich(|members: &mut Members, _: &Caught| {
            members.insert("status", &200)?;
            unreachable!("`status` is reserved")
        })
        .enrich(|members: &mut Members, _: &Caught| {
            let map = std::collections::HashMap::from([((1, 2), 3)]);
            let error = members.insert("map", &map).unwrap_err();
            assert_eq!(error.name(), "map");
            assert_eq!(
                error.to_string(),
                "the member `map` does not serialise as JSON"
            );
            assert!(std::error::Error::source(&error).is_some());
            members.insert("after", &true)
        });
    assert_eq!(
        document(&problem, &StatusCode::GONE.into()),
        json!({ "title": "Gone", "status": 410, "after": true })
    );
    let mut members = Members::default();
    for name in [
        "type", "title", "status", "detail", "instance", "code", "errors", "context",
    ] {
        let error = members.insert(name, &1).unwrap_err();
        assert!(error.to_string().contains("is reserved"), "{error}");
        assert!(members.get(name).is_none());
    }
    members.insert("Status", &1).unwrap();
    assert_eq!(members.get("Status").unwrap().get(), "1");
}

#[test]
fn an_exception_brings_its_own_type_title_code_and_members() {
    let exception = HttpException::conflict("plumbus 7 is sold out")
        .with_title("Out of stock")
        .with_code("out-of-stock")
        .with_retry_after(std::time::Duration::from_millis(1500))
        .try_with_member("left", &0)
        .unwrap();
    let problem = Problem::new().types_under("https://shop.example/problems/");
    assert_eq!(
        body_of(&render(&problem, &exception)),
        concat!(
            r#"{"type":"https://shop.example/problems/out-of-stock","title":"Out of stock","#,
            r#""status":409,"detail":"plumbus 7 is sold out","code":"out-of-stock","#,
            r#""retry_after":2,"left":0}"#,
        )
    );
    let exception = exception.with_type("/problems/stock");
    let document = document(&problem, &exception);
    assert_eq!(document["type"], "/problems/stock");
}

#[test]
fn a_document_that_breaks_a_rule_is_found() {
    let breaks = |document: &str| {
        let body = document.to_owned();
        let checked =
            std::panic::catch_unwind(move || problem_document(body.as_bytes(), StatusCode::GONE));
        *checked.unwrap_err().downcast::<String>().unwrap()
    };
    for (document, rule) in [
        ("[]", "an object"),
        (r#"{"status":410,"left":1,"left":1}"#, "two members `left`"),
        (r#"{"status":"410"}"#, "status: not the status"),
        (r#"{"status":404}"#, "status: not the status"),
        (r#"{"type":"a b"}"#, "type: no URI reference"),
        (r#"{"instance":"/%zz"}"#, "instance: no URI reference"),
        (r#"{"title":" "}"#, "title: blank"),
        (r#"{"detail":["a"]}"#, "detail: no text"),
        (r#"{"type":null}"#, "type: no text"),
        (r#"{"a-b":1}"#, "a-b: no name of an extension"),
        (
            r#"{"errors":[{"detail":"x","pointer":"/a"}]}"#,
            "no fragment",
        ),
        (
            r##"{"errors":[{"detail":"x","pointer":"#a"}]}"##,
            "no JSON pointer",
        ),
        (r##"{"errors":[{"pointer":"#/a"}]}"##, "without a detail"),
    ] {
        let found = breaks(document);
        assert!(found.contains(rule), "{found}");
    }
    for reference in ["about:blank", "../gone?a#b", "tag:shop,2026:gone", ""] {
        let document = json!({ "type": reference, "status": 410, "errors": ["a", 1] });
        problem_document(document.to_string().as_bytes(), StatusCode::GONE);
    }
}

#[test]
fn a_member_that_is_refused_is_left_out_with_a_warning() {
    let exception = HttpException::gone("sold out");
    let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
    for (refused, expected) in [
        ("status", "the member `status` is reserved"),
        ("keys", "the member `keys` does not serialise as JSON"),
    ] {
        let keys = keys.clone();
        let problem = Problem::new()
            .enrich(move |members: &mut Members, _: &Caught| {
                members.insert("left", &0)?;
                members.insert(refused, &keys)
            })
            .enrich(|members: &mut Members, _: &Caught| members.insert("service", "shop"));
        let log = Log::start();
        let document = document(&problem, &exception);
        assert_eq!(
            document,
            json!({
                "title": "Gone", "status": 410, "detail": "sold out",
                "left": 0, "service": "shop",
            })
        );
        let event = log.only_event();
        assert_eq!(event.level, tracing::Level::WARN);
        let error = event.get("error").unwrap();
        assert!(error.starts_with(expected), "{error}");
    }
}
