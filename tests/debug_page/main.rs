//! The page for development: access to it, its contents, the last failures.

#![allow(dead_code, reason = "`main` of the example is not called")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod backtraces;
#[path = "../../examples/debug_page/main.rs"]
mod example;
mod history;
mod page;
mod texts;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use scraper::{Html, Selector};
use tower_exception::debug_page::DebugPage;

use support::Received;

/// The `Accept` header of a browser.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Returns a page for the clients of these tests, whose `host` is `test`.
fn page_for_tests() -> DebugPage {
    DebugPage::new()
        .allow_host("test")
        .editor("edit:{file}:{line}:{column}")
}

/// Returns the request of a browser.
fn browser(path: &str) -> Request<Full<Bytes>> {
    with_headers(path, &[("accept", BROWSER)])
}

fn with_headers(path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = support::request(Method::GET, path);
    for (name, value) in headers {
        let name = http::HeaderName::try_from(*name).unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

/// Returns whether a response is the page.
fn is_page(received: &Received) -> bool {
    let is_html = received.header("content-type") == Some("text/html; charset=utf-8");
    assert_eq!(
        is_html,
        received
            .text()
            .contains("Development page of tower-exception")
    );
    is_html
}

/// A page as the parser of a browser reads it.
struct Parsed(Html);

impl Parsed {
    fn of(received: &Received) -> Self {
        assert!(is_page(received), "{received}");
        Self(Html::parse_document(received.text()))
    }

    /// Returns the texts of all elements that match.
    fn texts(&self, selector: &str) -> Vec<String> {
        let selector = Selector::parse(selector).unwrap();
        let found = self.0.select(&selector);
        found.map(|element| element.text().collect()).collect()
    }

    /// Returns the text of the one element that matches.
    #[track_caller]
    fn text(&self, selector: &str) -> String {
        let texts = self.texts(selector);
        assert_eq!(texts.len(), 1, "{selector}: {texts:?}");
        texts.into_iter().next().unwrap()
    }

    /// Returns an attribute of all elements that match.
    fn attributes(&self, selector: &str, name: &str) -> Vec<String> {
        let selector = Selector::parse(selector).unwrap();
        let found = self.0.select(&selector);
        found
            .filter_map(|element| Some(element.attr(name)?.to_owned()))
            .collect()
    }

    /// Returns the names of all elements, in order.
    fn elements(&self) -> Vec<String> {
        let all = Selector::parse("*").unwrap();
        self.0
            .select(&all)
            .map(|element| element.value().name().to_owned())
            .collect()
    }
}
