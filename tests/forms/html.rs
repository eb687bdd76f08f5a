//! The page of an exception, as a browser's parser reads it.

use http::StatusCode;
use proptest::prelude::*;
use scraper::{Html as Document, Selector};
use tower_exception::{
    HttpException,
    render::{Html, HtmlText, Page, Text},
};

use crate::{
    caught::{body_of, render},
    support::hostile_text,
};

fn text_of(document: &Document, selector: &str) -> Option<String> {
    let selector = Selector::parse(selector).unwrap();
    let mut found = document.select(&selector);
    let text = found.next().map(|element| element.text().collect());
    assert!(found.next().is_none(), "more than one element");
    text
}

/// Returns the names of all elements, in order.
fn elements(document: &Document) -> Vec<String> {
    let all = Selector::parse("*").unwrap();
    document
        .select(&all)
        .map(|element| element.value().name().to_owned())
        .collect()
}

/// HTML cannot express NUL.
fn shown(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

proptest! {
    #[test]
    fn any_detail_is_shown_as_text(detail in hostile_text(40)) {
        let exception = HttpException::not_found(detail.clone());
        let rendered = render(&Html::new(), &exception);
        let document = Document::parse_document(body_of(&rendered));
        let expected = Some(shown(&detail)).filter(|text| !text.is_empty());
        prop_assert_eq!(text_of(&document, "p.detail"), expected);
        prop_assert_eq!(text_of(&document, "title").unwrap(), "404 Not Found");
        prop_assert_eq!(text_of(&document, "h1").unwrap(), "Not Found");
        let harmless = render(&Html::new(), &HttpException::not_found("x"));
        let mut expected = elements(&Document::parse_document(body_of(&harmless)));
        if detail.is_empty() {
            expected.pop();
        }
        prop_assert_eq!(elements(&document), expected);
    }

    #[test]
    fn any_detail_in_json_is_shown_as_text(detail in hostile_text(40)) {
        let json = serde_json::json!({ "name": detail });
        let rendered = render(&Html::new(), &HttpException::not_found(json.clone()));
        let document = Document::parse_document(body_of(&rendered));
        prop_assert_eq!(text_of(&document, "p.detail").unwrap(), json.to_string());
    }

    #[test]
    fn text_in_a_page_of_ones_own_stays_in_its_place(detail in hostile_text(40)) {
        let html = Html::new().with_page(|page: &Page<'_>| {
            let detail = page.detail.unwrap_or(HtmlText::new(""));
            format!(
                "<!doctype html><title>{detail}</title>\
                 <p title=\"{detail}\" class='{detail}'>{detail}</p>"
            )
        });
        let rendered = render(&html, &HttpException::not_found(detail.clone()));
        let document = Document::parse_document(body_of(&rendered));
        prop_assert_eq!(elements(&document), ["html", "head", "title", "body", "p"]);
        prop_assert_eq!(text_of(&document, "title").unwrap(), shown(&detail));
        prop_assert_eq!(text_of(&document, "p").unwrap(), shown(&detail));
        let p = Selector::parse("p").unwrap();
        let element = document.select(&p).next().unwrap().value();
        prop_assert_eq!(element.attr("title"), Some(&*shown(&detail)));
        prop_assert_eq!(element.attr("class"), Some(&*shown(&detail)));
        prop_assert_eq!(element.attrs().count(), 2);
    }

    #[test]
    fn any_detail_is_the_rest_of_the_plain_text(detail in hostile_text(40)) {
        let rendered = render(&Text, &HttpException::gone(detail.clone()));
        let expected = match &*detail {
            "" => "410 Gone\n".to_owned(),
            detail => format!("410 Gone: {detail}\n"),
        };
        prop_assert_eq!(body_of(&rendered), expected);
    }
}

#[test]
fn a_page_loads_nothing_and_adapts_to_its_reader() {
    let rendered = render(&Html::new(), &HttpException::not_found("no such item"));
    assert_eq!(rendered.content_type(), "text/html; charset=utf-8");
    let page = body_of(&rendered);
    for absent in [
        "http:", "https:", "url(", "@import", "<script", "<link", "src=",
    ] {
        assert!(!page.contains(absent), "{absent}");
    }
    let document = Document::parse_document(page);
    assert!(document.errors.is_empty(), "{:?}", document.errors);
    let meta = |name: &str| {
        let selector = Selector::parse(&format!("meta[name={name}]")).unwrap();
        let found = document.select(&selector).next().unwrap().value();
        found.attr("content").unwrap().to_owned()
    };
    assert_eq!(meta("viewport"), "width=device-width, initial-scale=1");
    assert_eq!(meta("color-scheme"), "light dark");
    assert_eq!(text_of(&document, ".status").unwrap(), "404");
}

#[test]
fn the_title_of_the_exception_is_that_of_the_page() {
    let exception = HttpException::conflict("plumbus 7 is sold out").with_title("<Sold out>");
    let rendered = render(&Html::new(), &exception);
    let document = scraper::Html::parse_document(body_of(&rendered));
    assert_eq!(text_of(&document, "title").unwrap(), "409 <Sold out>");
    assert_eq!(text_of(&document, "h1").unwrap(), "<Sold out>");
}

#[test]
fn a_status_without_a_reason_is_its_own_title() {
    let exception = HttpException::new(StatusCode::from_u16(599).unwrap());
    let rendered = render(&Html::new(), &exception);
    let document = Document::parse_document(body_of(&rendered));
    assert_eq!(text_of(&document, "title").unwrap(), "599");
    assert_eq!(text_of(&document, "h1").unwrap(), "599");
    assert_eq!(text_of(&document, "p"), None);
    assert_eq!(body_of(&render(&Text, &exception)), "599\n");
}
