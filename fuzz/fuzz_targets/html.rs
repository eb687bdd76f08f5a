//! Any text in every field of an exception: it stays in its place on the page, in a page of the
//! user's, in the plain text and in the problem document.
//!
//! The input is text. Its fields are separated by U+001F: status, detail, title, type, code, id,
//! then up to `MAX_FIELDS` pairs of a name and a text.
#![no_main]

use std::sync::LazyLock;

use http::{StatusCode, header::HeaderValue};
use libfuzzer_sys::fuzz_target;
use scraper::{ElementRef, Html as Document, Node, Selector};
use serde_json::{Value, json};
use tower_exception::{
    ExceptionLayer, HttpException, Ids,
    config::Configured,
    render::{Html, HtmlText, Page, Problem, Render, Text},
};
use tower_exception_fuzz::{input::MAX_FIELDS, respond};

/// The fields of one input.
struct Fields<'a> {
    status: StatusCode,
    detail: &'a str,
    is_json: bool,
    title: &'a str,
    problem_type: &'a str,
    code: &'a str,
    id: Option<HeaderValue>,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Fields<'a> {
    fn read(input: &'a str) -> Self {
        let mut fields = input.split('\u{1f}');
        let mut next = || fields.next().unwrap_or_default();
        let status: u16 = next().parse().unwrap_or(404);
        let status = StatusCode::from_u16(400 + status % 200).expect("three digits");
        let (detail, title, problem_type, code, id) = (next(), next(), next(), next(), next());
        let rest: Vec<_> = fields.collect();
        Self {
            status,
            detail,
            is_json: detail.len() % 4 == 3,
            title,
            problem_type,
            code,
            id: HeaderValue::from_str(id).ok(),
            pairs: rest
                .chunks_exact(2)
                .take(MAX_FIELDS)
                .map(|pair| (pair[0], pair[1]))
                .collect(),
        }
    }

    /// Returns the title: the exception's, the reason of the status, or its number.
    fn title(&self) -> &str {
        let of_status = self
            .status
            .canonical_reason()
            .unwrap_or(self.status.as_str());
        match self.title {
            "" => of_status,
            title => title,
        }
    }

    /// Returns the detail as a page shows it.
    fn detail_on_page(&self) -> String {
        match self.is_json {
            true => json!({ "text": self.detail }).to_string(),
            false => self.detail.to_owned(),
        }
    }

    fn exception(&self) -> HttpException {
        let text = |text: &str| text.to_owned();
        let mut exception = HttpException::new(self.status)
            .with_type(text(self.problem_type))
            .with_code(text(self.code));
        if !self.title.is_empty() {
            exception = exception.with_title(text(self.title));
        }
        exception = match self.is_json {
            true => exception.with_detail(json!({ "text": self.detail })),
            false => exception.with_detail(text(self.detail)),
        };
        for (number, (name, value)) in self.pairs.iter().enumerate() {
            exception = match number % 3 {
                0 => exception.at(text(name), text(value)),
                1 => exception.at_query(text(name), text(value)),
                _ => match exception.clone().try_with_member(text(name), value) {
                    Ok(exception) => exception,
                    Err(error) => {
                        assert!(error.is_reserved(), "{error}");
                        exception
                    }
                },
            };
        }
        exception
    }

    fn body(&self, layer: &ExceptionLayer<Configured>) -> String {
        let id = self.id.iter().map(|id| ("x-request-id", id.clone()));
        let headers: Vec<_> = id.collect();
        let response = respond(layer, self.exception(), &headers);
        assert_eq!(response.status(), self.status);
        String::from_utf8(response.into_body().into()).expect("every form is UTF-8")
    }
}

fn layer(renderer: impl Render) -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .identify(Ids::request_id())
        .with_renderer(renderer)
}

static PAGE: LazyLock<ExceptionLayer<Configured>> = LazyLock::new(|| layer(Html::new()));
static OWN_PAGE: LazyLock<ExceptionLayer<Configured>> =
    LazyLock::new(|| layer(Html::new().with_page(own_page)));
static TEXT: LazyLock<ExceptionLayer<Configured>> = LazyLock::new(|| layer(Text));
static PROBLEM: LazyLock<ExceptionLayer<Configured>> = LazyLock::new(|| layer(Problem::new()));

/// A page that has the detail in each place in which a text is safe.
fn own_page(page: &Page<'_>) -> String {
    let detail = page.detail.unwrap_or(HtmlText::new(""));
    format!(
        "<!doctype html><title>{detail}</title>\
         <p title=\"{detail}\" class='{detail}'>{detail}</p>"
    )
}

fuzz_target!(|data: &[u8]| {
    let input = String::from_utf8_lossy(data);
    let fields = Fields::read(&input);
    check_page(&fields);
    check_own_page(&fields);
    check_text(&fields);
    check_problem(&fields);
});

fn check_page(fields: &Fields<'_>) {
    let document = Document::parse_document(&fields.body(&PAGE));
    let exception = fields.exception();
    let faults: Vec<String> = exception
        .faults()
        .iter()
        .map(|it| shown(&it.to_string()))
        .collect();
    assert_eq!(texts(&document, "main > ul > li"), faults);
    let detail = shown(&fields.detail_on_page());
    let details = texts(&document, "main > p.detail");
    match detail.is_empty() {
        true => assert!(details.is_empty(), "{details:?}"),
        false => assert_eq!(details, [detail]),
    }
    let ids = texts(&document, "main > p.id > code");
    assert!(ids.len() <= 1);
    for id in &ids {
        assert_eq!(
            Some(&**id),
            fields.id.as_ref().and_then(|it| it.to_str().ok())
        );
    }

    let (status, title) = (fields.status.as_str(), shown(fields.title()));
    assert_eq!(texts(&document, "h1"), [&*title]);
    let has_status = title != status;
    let in_window = match has_status {
        true => format!("{status} {title}"),
        false => title,
    };
    assert_eq!(texts(&document, "title"), [in_window]);

    // Nothing else is on the page.
    let mut expected = vec![
        "html", "head", "meta", "meta", "meta", "style", "title", "body", "main",
    ];
    if has_status {
        expected.push("p");
    }
    expected.push("h1");
    expected.extend(details.iter().map(|_| "p"));
    if !faults.is_empty() {
        expected.push("ul");
        expected.extend(faults.iter().map(|_| "li"));
    }
    expected.extend(ids.iter().flat_map(|_| ["p", "code"]));
    assert_eq!(
        elements(&document)
            .map(|it| it.value().name())
            .collect::<Vec<_>>(),
        expected
    );
    for element in elements(&document) {
        for (name, value) in element.value().attrs() {
            let is_known = match name {
                "class" => ["status", "detail", "id"].contains(&value),
                "lang" | "charset" | "name" | "content" => true,
                _ => false,
            };
            assert!(is_known, "{name}={value}");
        }
    }
    assert_no_other_nodes(&document);
}

fn check_own_page(fields: &Fields<'_>) {
    let document = Document::parse_document(&fields.body(&OWN_PAGE));
    let detail = shown(&fields.detail_on_page());
    let names: Vec<_> = elements(&document).map(|it| it.value().name()).collect();
    assert_eq!(names, ["html", "head", "title", "body", "p"]);
    for selector in ["title", "p"] {
        assert_eq!(texts(&document, selector), [&*detail]);
    }
    let attributes: Vec<_> = elements(&document)
        .flat_map(|it| it.value().attrs())
        .collect();
    assert_eq!(attributes.len(), 2);
    assert!(attributes.iter().all(|(_, value)| *value == detail));
    assert_no_other_nodes(&document);
}

fn check_text(fields: &Fields<'_>) {
    let text = fields.body(&TEXT);
    assert!(text.starts_with(fields.status.as_str()), "{text}");
    assert!(text.contains(&fields.detail_on_page()), "{text}");
}

fn check_problem(fields: &Fields<'_>) {
    let document: Value = serde_json::from_str(&fields.body(&PROBLEM)).expect("it is JSON");
    assert_eq!(document["status"], fields.status.as_u16());
    for (name, text) in [("type", fields.problem_type), ("code", fields.code)] {
        assert_eq!(document[name], text, "{name}");
    }
    match (fields.title, fields.status.canonical_reason()) {
        ("", None) => assert!(document.get("title").is_none()),
        _ => assert_eq!(document["title"], fields.title()),
    }
    match (fields.is_json, fields.detail) {
        (true, detail) => assert_eq!(document["context"]["text"], detail),
        (false, "") => assert!(document.get("detail").is_none()),
        (false, detail) => assert_eq!(document["detail"], detail),
    }
    let exception = fields.exception();
    let faults = exception.faults();
    let errors = document.get("errors").and_then(Value::as_array);
    assert_eq!(errors.map_or(0, Vec::len), faults.len());
    for (error, fault) in errors.into_iter().flatten().zip(faults) {
        assert_eq!(error["detail"], fault.message());
    }
    for (name, value) in exception.members() {
        let value: Value = serde_json::from_str(value.get()).expect("it is JSON");
        assert_eq!(document[name], value, "{name}");
    }
}

/// Returns a text as HTML shows it, which cannot express NUL.
fn shown(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn elements(document: &Document) -> impl Iterator<Item = ElementRef<'_>> {
    document.tree.nodes().filter_map(ElementRef::wrap)
}

fn texts(document: &Document, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).expect("it is a selector");
    let found = document.select(&selector);
    found.map(|element| element.text().collect()).collect()
}

/// Asserts that there is no comment and no second document type.
fn assert_no_other_nodes(document: &Document) {
    for node in document.tree.values() {
        let is_known = match node {
            Node::Document | Node::Element(_) | Node::Text(_) => true,
            Node::Doctype(doctype) => doctype.name() == "html",
            _ => false,
        };
        assert!(is_known, "{node:?}");
    }
}
