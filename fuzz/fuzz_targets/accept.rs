//! Any bytes as lines of an `Accept` header: a form of those that are offered, and the same one for
//! headers that mean the same.
#![no_main]

use std::sync::LazyLock;

use http::header::HeaderValue;
use libfuzzer_sys::fuzz_target;
use tower_exception::{
    ExceptionLayer, HttpException,
    config::Configured,
    render::{Html, Json, Negotiated, Problem, Text},
};
use tower_exception_fuzz::respond;

const OFFERS: [&str; 4] = [
    "application/problem+json",
    "application/json",
    "text/html; charset=utf-8",
    "text/plain; charset=utf-8",
];

static LAYER: LazyLock<ExceptionLayer<Configured>> = LazyLock::new(|| {
    let forms = Negotiated::new(Problem::new())
        .or(Json)
        .or(Html::new())
        .or(Text);
    ExceptionLayer::new().with_renderer(forms)
});

/// Returns the content type of the response to these lines.
fn chosen<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> String {
    let headers: Vec<_> = lines
        .into_iter()
        .map(|line| HeaderValue::from_bytes(line.as_ref()).expect("a byte that was valid"))
        .map(|line| ("accept", line))
        .collect();
    let response = respond(&LAYER, HttpException::gone("sold out"), &headers);
    assert_eq!(response.status(), 410);
    assert_eq!(response.headers()["vary"], "accept");
    let form = response.headers()["content-type"].to_str();
    form.expect("a content type is text").to_owned()
}

fuzz_target!(|data: &[u8]| {
    // A library of HTTP refuses any other byte before the layer sees it.
    let lines: Vec<&[u8]> = data
        .split(|byte| *byte == b'\n')
        .filter(|line| HeaderValue::from_bytes(line).is_ok())
        .collect();
    let form = chosen(&lines);
    assert!(OFFERS.contains(&&*form), "{form}");

    assert_eq!(chosen(&lines), form, "the same lines");
    assert_eq!(chosen(lines.iter().rev()), form, "another order");
    // RFC 9110, section 8.3.1: types and the names of parameters have no case. The values that the
    // offers have do not have one either.
    let upper = lines.iter().map(|line| line.to_ascii_uppercase());
    assert_eq!(chosen(upper), form, "capital letters");
    // Section 5.6.1.2: a recipient ignores empty elements.
    let with_empty = lines.iter().map(|line| [b" ,\t,", *line, b","].concat());
    assert_eq!(chosen(with_empty), form, "empty elements");
    let more_lines = [&b""[..], b", ,"].into_iter().chain(lines.iter().copied());
    if !lines.is_empty() {
        assert_eq!(chosen(more_lines), form, "empty lines");
    }
});
