//! FastAPI's tutorial "Handling Errors": the apps of the README give the recorded responses of
//! FastAPI (`tutorial.json`).

use std::{collections::BTreeMap, net::Ipv4Addr};

use axum::Router;
use http::Method;
use tokio::net::TcpListener;

use crate::{
    case::{Case, Request, tutorial_cases_of},
    client::{Client, Protocol},
    quickstart,
    response::ComparedResponse,
    snippets::{tutorial001, tutorial002, tutorial003, tutorial004, tutorial005, tutorial006},
};

const README: &str = include_str!("../../README.md");

type App = fn() -> Router;

/// Each app by its name in the file, with its number of cases.
const APPS: [(&str, App, usize); 6] = [
    ("tutorial001", tutorial001, 4),
    ("tutorial002", tutorial002, 2),
    ("tutorial003", tutorial003, 2),
    ("tutorial004", tutorial004, 5),
    ("tutorial005", tutorial005, 3),
    ("tutorial006", tutorial006, 4),
];

#[tokio::test]
async fn the_readmes_apps_respond_as_fastapis_tutorial() {
    let mut mismatches = Vec::new();
    for (name, app, expected_cases) in APPS {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app()).await });
        let cases = tutorial_cases_of(name);
        assert_eq!(cases.len(), expected_cases, "{name}");
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut client = Client::connect(protocol, address).await.unwrap();
            for case in &cases {
                if let Some(got) = mismatch(&mut client, case).await {
                    let expected = case.expected();
                    mismatches.push(format!(
                        "{} ({protocol:?})\n  expected {expected}\n  got      {got}",
                        case.name,
                    ));
                }
            }
        }
    }
    let count = mismatches.len();
    assert!(count == 0, "{count} differ:\n{}", mismatches.join("\n"));
}

#[tokio::test]
async fn whatever_is_typed_into_the_url_of_the_quickstart_the_client_sees_json() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, quickstart::app()).await });
    let mut client = Client::connect(Protocol::Http1, address).await.unwrap();
    for (method, path, expected) in [
        (Method::GET, "/", r#"404 {"detail":"Not Found"}"#),
        (Method::GET, "/nowhere", r#"404 {"detail":"Not Found"}"#),
        (Method::GET, "/items/", r#"404 {"detail":"Not Found"}"#),
        (Method::GET, "/items/1", r#"200 {"id":1,"name":"plumbus"}"#),
        (
            Method::GET,
            "/items/2",
            r#"404 {"detail":"Item not found"}"#,
        ),
        (
            Method::GET,
            "/items/x",
            r#"400 {"detail":"Invalid URL: Cannot parse `x` to a `u32`"}"#,
        ),
        (
            Method::GET,
            "/items/%ff",
            r#"400 {"detail":"Invalid URL: Invalid UTF-8 in `id`"}"#,
        ),
        (
            Method::DELETE,
            "/items/1",
            r#"405 {"detail":"Method Not Allowed"}"#,
        ),
        (
            Method::GET,
            "/orders/7",
            r#"429 {"detail":"order 7 must wait"}"#,
        ),
        (
            Method::GET,
            "/prices",
            r#"500 {"detail":"Internal Server Error"}"#,
        ),
        (
            Method::GET,
            "/bug",
            r#"500 {"detail":"Internal Server Error"}"#,
        ),
    ] {
        let none = BTreeMap::new();
        let got = client.send(method, path, &none, None).await.unwrap();
        assert_eq!(format!("{} {}", got.status, got.body), expected, "{path}");
        assert!(got.is_json(), "{path}: {got}");
    }
}

/// Returns the response to a case, if it is not the expected one.
async fn mismatch(
    client: &mut Client,
    case: &Case<Request, ComparedResponse>,
) -> Option<ComparedResponse> {
    let request = &case.request;
    let method = request.method();
    let json = request.json.as_deref().map(|raw| raw.get());
    let sent = client.send(method.clone(), &request.path, &request.headers, json);
    let got = sent.await.unwrap();
    (!got.matches(case.expected(), &method)).then_some(got)
}

#[test]
fn the_readme_gives_the_reason_of_each_difference() {
    let readme = words(README);
    let cases = APPS.iter().flat_map(|(name, ..)| tutorial_cases_of(name));
    for case in cases {
        match &case.why {
            Some(why) => assert!(readme.contains(&words(why)), "{why}"),
            None => assert!(
                !case.is_different(),
                "{} differs without a reason",
                case.name
            ),
        }
    }
}

#[test]
fn the_rust_code_of_the_section_is_the_code_that_runs() {
    assert_examples("rust", include_str!("snippets.rs"), "\npub fn tutorial");
}

#[test]
fn the_python_code_of_the_section_is_the_code_that_was_recorded() {
    assert_examples("python", include_str!("record.py"), "\ndef tutorial");
}

/// Asserts that each app of `source` contains the section's example for it.
#[track_caller]
fn assert_examples(language: &str, source: &str, function: &str) {
    let (_, section) = README.split_once("\n## From FastAPI\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let fence = format!("```{language}\n");
    let examples: Vec<&str> = section
        .split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let functions: Vec<&str> = source.split(function).skip(1).collect();
    assert_eq!(examples.len(), APPS.len());
    assert_eq!(functions.len(), APPS.len());
    for (example, function) in examples.iter().zip(functions) {
        let is_in_function = format!("\n{}", lines(function)).contains(&lines(example));
        assert!(is_in_function, "this example does not run:\n{example}");
    }
}

/// Returns `text` without its indentation, blank lines, and the lines that rustdoc hides.
fn lines(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let shown = lines.filter(|line| !line.is_empty() && *line != "#" && !line.starts_with("# "));
    shown.map(|line| format!("{line}\n")).collect()
}

/// Returns the words of `text`, each with one space before it.
fn words(text: &str) -> String {
    text.split_whitespace()
        .map(|word| format!(" {word}"))
        .collect()
}
