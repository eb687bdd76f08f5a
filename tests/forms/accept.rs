//! Every recorded case of an `Accept` header, and random headers against a plain reading of the
//! RFC.

use http::header::HeaderValue;
use proptest::prelude::*;
use serde::Deserialize;
use tower_exception::{
    HttpException,
    render::{Html, Json, Negotiable, Negotiated, Problem, Text},
};

use crate::{
    caught::render_for,
    support::{Protocol, Server, request},
};

const CASES: &str = include_str!("../parity/accept.json");

#[derive(Deserialize)]
struct Case {
    accept: Option<String>,
    offers: Vec<String>,
    /// The expected form, `any` or none.
    form: Option<String>,
}

/// Returns a renderer that offers forms by their media types.
fn negotiated(offers: &[impl AsRef<str>]) -> Negotiated {
    let mut offers = offers.iter().map(AsRef::as_ref);
    let mut forms = match offers.next().unwrap() {
        "application/problem+json" => Negotiated::new(Problem::new()),
        "application/json" => Negotiated::new(Json),
        "text/html" => Negotiated::new(Html::new()),
        other => panic!("{other}"),
    };
    for offer in offers {
        forms = match offer {
            "application/problem+json" => forms.or(Problem::new()),
            "application/json" => forms.or(Json),
            "text/html" => forms.or(Html::new()),
            "text/plain" => forms.or(Text),
            other => panic!("{other}"),
        };
    }
    forms
}

/// Returns a content type without its parameters.
fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap()
}

#[tokio::test]
async fn the_recorded_cases_hold_over_sockets() {
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        let layer = tower_exception::ExceptionLayer::new().with_renderer(negotiated(&case.offers));
        let fails = || async { HttpException::not_found("no such page") };
        let app = axum::Router::new().route("/", axum::routing::get(fails));
        let server = Server::start(app.layer(layer)).await;
        for (protocol, method) in [
            (Protocol::Http1, http::Method::GET),
            (Protocol::Http2, http::Method::HEAD),
        ] {
            let mut asked = request(method, "/");
            if let Some(accept) = &case.accept {
                let accept = HeaderValue::from_str(accept).unwrap();
                asked.headers_mut().insert("accept", accept);
            }
            let received = server
                .connect(protocol)
                .await
                .exchange(asked)
                .await
                .unwrap();
            assert_eq!(received.status, 404);
            assert_eq!(received.header("vary"), Some("accept"));
            let form = essence(received.header("content-type").unwrap());
            let (accept, offers) = (&case.accept, &case.offers);
            match case.form.as_deref() {
                Some("any") => assert!(offers.iter().any(|offer| offer == form), "{accept:?}"),
                expected => assert_eq!(form, expected.unwrap_or(&offers[0]), "{accept:?}"),
            }
        }
    }
}

/// One media range of a header, with its weight in thousandths.
#[derive(Clone, Debug)]
struct Range {
    kind: &'static str,
    subtype: &'static str,
    parameter: Option<&'static str>,
    weight: Option<u16>,
}

fn range() -> impl Strategy<Value = Range> {
    let types = prop::sample::select(vec![
        ("*", "*"),
        ("text", "*"),
        ("application", "*"),
        ("text", "html"),
        ("TEXT", "Plain"),
        ("application", "json"),
        ("application", "problem+json"),
        ("image", "png"),
    ]);
    let parameters = vec![
        None,
        None,
        Some("charset=utf-8"),
        Some("level=\"a,b;q=\\\"1\""),
    ];
    let weights = prop::option::of(prop::sample::select(vec![0, 1, 200, 500, 999, 1000]));
    (types, prop::sample::select(parameters), weights).prop_map(
        |((kind, subtype), parameter, weight)| Range {
            kind,
            subtype,
            parameter,
            weight,
        },
    )
}

impl Range {
    fn write(&self) -> String {
        let parameter = self.parameter.map(|parameter| format!(" ; {parameter}"));
        let weight = self.weight.map(|weight| match weight {
            1000 => ";q=1.000".to_owned(),
            weight => format!("; Q=0.{weight:03}"),
        });
        let (parameter, weight) = (parameter.unwrap_or_default(), weight.unwrap_or_default());
        format!("{}/{}{parameter}{weight}", self.kind, self.subtype)
    }

    /// Returns the precedence over other ranges, or `None` if the range does not match.
    fn precedence(&self, offer: &str) -> Option<u8> {
        let (kind, subtype) = essence(offer).split_once('/').unwrap();
        let is_of_type = self.kind.eq_ignore_ascii_case(kind);
        let precedence = match self.subtype {
            "*" if self.kind == "*" => 0,
            "*" if is_of_type => 2,
            own if is_of_type && own.eq_ignore_ascii_case(subtype) => 4,
            _ => return None,
        };
        match self.parameter {
            None => Some(precedence),
            Some(parameter) => offer.contains(parameter).then_some(precedence + 1),
        }
    }
}

/// Returns the weight of an offer.
fn weight(ranges: &[Range], offer: &str) -> u16 {
    let matching = ranges.iter().filter_map(|range| {
        let precedence = range.precedence(offer)?;
        Some((precedence, range.weight.unwrap_or(1000)))
    });
    matching.max().map_or(0, |(_, weight)| weight)
}

fn chosen(accept: &[HeaderValue]) -> String {
    let offers = [
        "application/problem+json",
        "application/json",
        "text/html",
        "text/plain",
    ];
    let exception = HttpException::not_found("x");
    let rendered = render_for(&negotiated(&offers), &exception, "/", accept);
    assert_eq!(rendered.headers().unwrap()["vary"], "accept");
    rendered.content_type().to_str().unwrap().to_owned()
}

proptest! {
    #[test]
    fn valid_headers_are_read_as_the_rfc_says(
        lines in prop::collection::vec(prop::collection::vec(range(), 0..5), 0..3),
    ) {
        let offers = [
            Problem::new().media_type().to_owned(),
            Json.media_type().to_owned(),
            Html::new().media_type().to_owned(),
            Text.media_type().to_owned(),
        ];
        let headers: Vec<HeaderValue> = lines
            .iter()
            .map(|ranges| {
                let ranges: Vec<String> = ranges.iter().map(Range::write).collect();
                ranges.join(" , ,").parse().unwrap()
            })
            .collect();
        let ranges = lines.concat();
        let mut expected = &offers[0];
        for offer in &offers {
            if weight(&ranges, offer) > weight(&ranges, expected) {
                expected = offer;
            }
        }
        prop_assert_eq!(&chosen(&headers), expected);
    }

    #[test]
    fn any_header_is_answered(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..3),
    ) {
        let lines: Vec<_> =
            lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
        chosen(&lines);
    }

    #[test]
    fn any_header_of_the_right_characters_is_answered(line in "[a*/;,=\"q01. \\\\\t]{0,60}") {
        chosen(&[line.parse().unwrap()]);
    }
}

#[test]
fn a_malformed_header_gets_the_first_form() {
    for malformed in [
        "text/html, text",
        "text/html;q=2",
        "text/html;q=1.0000",
        "text/html;q=0.1234",
        "text/html;q=.5",
        "text/html;q=1.5",
        "text/html;q",
        "text/html;q=",
        "text/html;q=-1",
        "text/html;q=0.5;q=0.5",
        "text/html;q=\"",
        "text/html;a=\"b",
        "text/html;a=\"b\\",
        "*/html",
        "text/html text/plain",
        "/html",
        "text/",
        ";;;",
        "text/html;a =b",
        "*",
        "text/html, *; q=.2",
        "text/html=1",
        "\u{e9}/html",
    ] {
        let line = HeaderValue::from_bytes(malformed.as_bytes()).unwrap();
        assert_eq!(chosen(&[line]), "application/problem+json", "{malformed}");
    }
}

#[test]
fn parameters_and_weights_are_read_in_any_order() {
    for (accept, expected) in [
        (
            "text/html;charset=UTF-8, application/json;q=0.9",
            "text/html; charset=utf-8",
        ),
        ("text/html;charset=\"utf\\-8\"", "text/html; charset=utf-8"),
        (
            "text/html;q=0.1;charset=utf-8, text/plain;q=0.2",
            "text/plain; charset=utf-8",
        ),
        (
            "text/html;charset=utf-8;q=0, text/html, text/plain;q=0.1",
            "text/plain; charset=utf-8",
        ),
        (
            "text/html;;;q=0.2 ;, text/plain;q=0.1",
            "text/html; charset=utf-8",
        ),
        ("text/*;q=0, text/plain", "text/plain; charset=utf-8"),
        (
            "application/json;q=0.2, application/json;q=0.9, text/html;q=0.5",
            "application/json",
        ),
    ] {
        assert_eq!(chosen(&[accept.parse().unwrap()]), expected, "{accept}");
    }
}
