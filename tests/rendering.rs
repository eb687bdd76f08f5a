//! Rendering of exceptions: every rule for status, headers and body.

mod support;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Serialize;
use serde_json::{Value, json};
use tower::{BoxError, Layer, ServiceBuilder, service_fn, util::MapResponseLayer};
use tower_exception::{
    Caught, ExceptionLayer, HttpException,
    render::{Json, Rendered},
};
use tower_http::set_header::SetResponseHeaderLayer;

use support::{Differences, PLAIN_500, PROTOCOLS, Protocol, SECRET_TEXT, Server};

/// The mechanism by which an exception reaches the layer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mechanism {
    Returned,
    Attached,
    Raised,
}

const MECHANISMS: [Mechanism; 3] = [Mechanism::Returned, Mechanism::Attached, Mechanism::Raised];

impl Mechanism {
    fn go(self, exception: HttpException) -> Result<Response<Full<Bytes>>, BoxError> {
        match self {
            Self::Returned => Err(exception.into()),
            Self::Attached => Ok(exception.into()),
            Self::Raised => exception.raise(),
        }
    }
}

/// Makes a service that fails with the exception of `make`, by one mechanism.
macro_rules! failing {
    ($mechanism:expr, $make:expr) => {{
        let (mechanism, make) = ($mechanism, $make);
        service_fn(move |_: Request<Incoming>| async move { mechanism.go(make()) })
    }};
}

/// Returns a configured layer that renders as the default one.
fn configured_layer() -> ExceptionLayer<tower_exception::config::Configured> {
    ExceptionLayer::new().with_renderer(Json)
}

type Make = fn() -> HttpException;

/// Checks each row with every mechanism, protocol and layer: `GET` receives the expected response,
/// and `HEAD` its head.
async fn check(rows: &[(&str, Make, &str)]) {
    let mut differences = Differences::default();
    for &(name, make, expected) in rows {
        let head = expected.split(" | {").next().unwrap();
        for mechanism in MECHANISMS {
            let default =
                Server::start(ExceptionLayer::new().layer(failing!(mechanism, make))).await;
            let configured =
                Server::start(configured_layer().layer(failing!(mechanism, make))).await;
            for protocol in PROTOCOLS {
                for (server, layer) in [(&default, "default"), (&configured, "configured")] {
                    let case = format!("{name}, {mechanism:?}, over {protocol:?}, {layer} layer");
                    let mut client = server.connect(protocol).await;
                    for (method, expected) in [(Method::GET, expected), (Method::HEAD, head)] {
                        let got = client.ask(method.clone(), "/").await;
                        differences.note(&format!("{method} {case}"), &got, expected);
                    }
                }
            }
        }
    }
    differences.assert_none();
}

fn name(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

fn value(value: &'static str) -> HeaderValue {
    HeaderValue::from_static(value)
}

fn status(code: u16) -> HttpException {
    HttpException::new(StatusCode::from_u16(code).unwrap())
}

#[tokio::test]
async fn details_are_rendered_as_json() {
    #[derive(Serialize)]
    struct Shortage {
        wanted: u32,
        left: Option<u32>,
        by: &'static [&'static str],
    }

    check(&[
        (
            "text",
            || HttpException::not_found("Item not found"),
            r#"404 | content-length: 27 | content-type: application/json | {"detail":"Item not found"}"#,
        ),
        (
            "owned text",
            || HttpException::not_found(String::from("Item not found")),
            r#"404 | content-length: 27 | content-type: application/json | {"detail":"Item not found"}"#,
        ),
        (
            "none: the canonical reason",
            || status(418),
            r#"418 | content-length: 25 | content-type: application/json | {"detail":"I'm a teapot"}"#,
        ),
        (
            "null: the canonical reason",
            || status(409).with_detail(Value::Null),
            r#"409 | content-length: 21 | content-type: application/json | {"detail":"Conflict"}"#,
        ),
        (
            "none, and no canonical reason",
            || status(599),
            r#"599 | content-length: 13 | content-type: application/json | {"detail":""}"#,
        ),
        (
            "empty",
            || HttpException::not_found(""),
            r#"404 | content-length: 13 | content-type: application/json | {"detail":""}"#,
        ),
        (
            "characters that JSON escapes",
            || HttpException::bad_request("a \"b\" \\ \u{8}\u{c}\n\r\t\u{1} /\u{7f}é🦄"),
            "400 | content-length: 49 | content-type: application/json | \
             {\"detail\":\"a \\\"b\\\" \\\\ \\b\\f\\n\\r\\t\\u0001 /\u{7f}é🦄\"}",
        ),
        (
            "a struct, its fields in their order",
            || {
                let shortage = Shortage { wanted: 3, left: None, by: &["you", "me"] };
                status(409).try_with_json(&shortage).unwrap()
            },
            r#"409 | content-length: 53 | content-type: application/json | {"detail":{"wanted":3,"left":null,"by":["you","me"]}}"#,
        ),
        (
            "a list",
            || status(422).with_detail(json!([{ "loc": ["body", 0] }])),
            r#"422 | content-length: 31 | content-type: application/json | {"detail":[{"loc":["body",0]}]}"#,
        ),
        (
            "a number",
            || status(422).with_detail(json!(-1.5)),
            r#"422 | content-length: 15 | content-type: application/json | {"detail":-1.5}"#,
        ),
        (
            "false",
            || status(422).with_detail(json!(false)),
            r#"422 | content-length: 16 | content-type: application/json | {"detail":false}"#,
        ),
        (
            "JSON text",
            || status(422).with_detail(json!("a\nb")),
            r#"422 | content-length: 17 | content-type: application/json | {"detail":"a\nb"}"#,
        ),
        (
            "a source, which stays here",
            || HttpException::gone("sold out").with_source(SECRET_TEXT),
            r#"410 | content-length: 21 | content-type: application/json | {"detail":"sold out"}"#,
        ),
    ])
    .await;
}

#[tokio::test]
async fn statuses_decide_on_the_body() {
    /// Returns an exception with a detail and headers.
    fn laden(code: u16) -> HttpException {
        status(code)
            .with_detail("detail")
            .with_header(name("x-own"), value("own"))
            .with_header(header::CONTENT_TYPE, value("text/plain"))
            .with_header(header::CONTENT_LENGTH, value("6"))
    }

    check(&[
        ("204", || status(204), "204"),
        ("205", || status(205), "205 | content-length: 0"),
        ("304", || status(304), "304"),
        ("204, laden", || laden(204), "204 | x-own: own"),
        (
            "205, laden",
            || laden(205),
            "205 | content-length: 0 | x-own: own",
        ),
        ("304, laden", || laden(304), "304 | x-own: own"),
        ("100", || laden(100), PLAIN_500),
        ("101", || laden(101), PLAIN_500),
        ("102", || laden(102), PLAIN_500),
        ("103", || laden(103), PLAIN_500),
        ("199", || laden(199), PLAIN_500),
        (
            "a success",
            || status(200),
            r#"200 | content-length: 15 | content-type: application/json | {"detail":"OK"}"#,
        ),
        (
            "a redirection",
            || status(307).with_header(header::LOCATION, value("/login")),
            "307 | content-length: 0 | location: /login",
        ),
        (
            "a redirection with a detail",
            || status(307).with_detail("log in"),
            r#"307 | content-length: 19 | content-type: application/json | {"detail":"log in"}"#,
        ),
        (
            "beyond the known classes",
            || status(999).with_detail("?"),
            r#"999 | content-length: 14 | content-type: application/json | {"detail":"?"}"#,
        ),
    ])
    .await;
}

#[tokio::test]
async fn headers_of_the_exception_are_appended() {
    check(&[
        (
            "one",
            || HttpException::not_found("no").with_header(name("x-hint"), value("elsewhere")),
            r#"404 | content-length: 15 | content-type: application/json | x-hint: elsewhere | {"detail":"no"}"#,
        ),
        (
            "one name, two lines",
            || {
                HttpException::unauthorized("no")
                    .with_header(header::WWW_AUTHENTICATE, value("Bearer"))
                    .with_header(header::WWW_AUTHENTICATE, value("Basic realm=\"x\""))
            },
            r#"401 | content-length: 15 | content-type: application/json | www-authenticate: Bearer | www-authenticate: Basic realm=\"x\" | {"detail":"no"}"#,
        ),
        (
            "Latin-1",
            || HttpException::bad_request("no").try_with_header("x-latin", &b"caf\xe9"[..]).unwrap(),
            r#"400 | content-length: 15 | content-type: application/json | x-latin: caf\xe9 | {"detail":"no"}"#,
        ),
        (
            "one that describes no body, though its name contains content",
            || {
                HttpException::from((StatusCode::RANGE_NOT_SATISFIABLE, "no"))
                    .with_header(header::CONTENT_RANGE, value("bytes */1234"))
            },
            r#"416 | content-length: 15 | content-range: bytes */1234 | content-type: application/json | {"detail":"no"}"#,
        ),
        (
            "a content-type of its own",
            || {
                let json = value("application/vnd.api+json");
                HttpException::conflict("no").with_header(header::CONTENT_TYPE, json)
            },
            r#"409 | content-length: 15 | content-type: application/vnd.api+json | {"detail":"no"}"#,
        ),
    ])
    .await;
}

#[tokio::test]
async fn headers_that_frame_the_message_are_dropped() {
    macro_rules! rows {
        ($($name:literal: $value:literal)*) => {
            [$((
                $name,
                || {
                    HttpException::bad_request("no")
                        .with_header(name("x-first"), value("1"))
                        .with_header(name($name), value($value))
                        .with_header(name($name), value($value))
                        .with_header(name("x-last"), value("2"))
                },
                r#"400 | content-length: 15 | content-type: application/json | x-first: 1 | x-last: 2 | {"detail":"no"}"#,
            )),*]
        };
    }
    check(&rows! {
        "connection": "keep-alive"
        "keep-alive": "timeout=5"
        "proxy-connection": "close"
        "te": "trailers"
        "trailer": "x-last"
        "transfer-encoding": "gzip"
        "content-length": "3"
        "upgrade": "websocket"
    })
    .await;
}

/// HTTP/2 has no such header (RFC 9113, section 8.2.2), and hyper removes it.
#[tokio::test]
async fn a_426_names_the_protocol_to_upgrade_to() {
    let expected = [
        r#"426 | connection: upgrade | content-length: 29 | content-type: application/json | upgrade: HTTP/2.0 | {"detail":"Upgrade Required"}"#,
        r#"426 | content-length: 29 | content-type: application/json | {"detail":"Upgrade Required"}"#,
    ];
    for mechanism in MECHANISMS {
        let make = || status(426).with_header(header::UPGRADE, value("HTTP/2.0"));
        let server = Server::start(ExceptionLayer::new().layer(failing!(mechanism, make))).await;
        for (protocol, expected) in PROTOCOLS.into_iter().zip(expected) {
            assert_eq!(
                server.connect(protocol).await.get("/").await,
                expected,
                "{mechanism:?}"
            );
        }
    }
}

fn text(exception: &HttpException, _: &Caught) -> Rendered {
    Rendered::new(value("text/plain"), format!("it was a {exception}"))
}

#[tokio::test]
async fn a_renderer_sees_the_head_of_the_request() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = Arc::clone(&seen);
    let layer =
        ExceptionLayer::new().with_renderer(move |exception: &HttpException, caught: &Caught| {
            let path = caught.request().uri().path_and_query().unwrap().to_string();
            let request = caught.request();
            let head = (request.method().clone(), path, request.version());
            sees.lock().unwrap().push(head);
            text(exception, caught)
        });
    for mechanism in MECHANISMS {
        let make = || HttpException::gone("sold out");
        let server = Server::start(layer.layer(failing!(mechanism, make))).await;
        for protocol in PROTOCOLS {
            let received = server
                .connect(protocol)
                .await
                .ask(Method::PUT, "/a/b?c=d")
                .await;
            let expected =
                "410 | content-length: 22 | content-type: text/plain | it was a 410: sold out";
            assert_eq!(received, expected, "{mechanism:?} over {protocol:?}");
            let version = match protocol {
                Protocol::Http1 => http::Version::HTTP_11,
                Protocol::Http2 => http::Version::HTTP_2,
            };
            let seen = std::mem::take(&mut *seen.lock().unwrap());
            assert_eq!(seen, [(Method::PUT, "/a/b?c=d".to_owned(), version)]);
        }
    }
}

/// The headers are moved into the response after the exception was rendered.
#[tokio::test]
async fn a_renderer_sees_the_headers_of_the_exception() {
    let sees = |exception: &HttpException, caught: &Caught| {
        let failure = caught.outermost().downcast_ref::<HttpException>();
        let of_failure = failure.map(|it| it.headers()["x-own"].to_str().unwrap());
        let body = format!("{:?}, {of_failure:?}", exception.headers()["x-own"]);
        Rendered::new(value("text/plain"), body)
    };
    let layer = ExceptionLayer::new().with_renderer(sees);
    for mechanism in MECHANISMS {
        let make = || HttpException::gone("sold out").with_header(name("x-own"), value("7"));
        let server = Server::start(layer.clone().layer(failing!(mechanism, make))).await;
        let mut client = server.connect(Protocol::Http1).await;
        let received = client.ask(Method::GET, "/").await;
        let expected = "410 | content-length: 14 | content-type: text/plain | x-own: 7 | ";
        assert_eq!(
            received,
            format!("{expected}\"7\", Some(\"7\")"),
            "{mechanism:?}"
        );
    }
}

#[tokio::test]
async fn the_rules_apply_to_every_renderer() {
    let rows: [(Make, &str, &str); 4] = [
        (
            || HttpException::gone("x").with_header(header::CONTENT_TYPE, value("text/markdown")),
            "410 | content-length: 15 | content-type: text/markdown",
            " | it was a 410: x",
        ),
        (
            || status(304).with_header(header::ETAG, value("\"1\"")),
            r#"304 | etag: \"1\""#,
            "",
        ),
        (|| status(205), "205 | content-length: 0", ""),
        (
            || status(101).with_detail("x"),
            "500 | content-length: 35 | content-type: text/plain",
            " | it was a 500: Internal Server Error",
        ),
    ];
    let layer = ExceptionLayer::new().with_renderer(text);
    let mut differences = Differences::default();
    for (make, head, body) in rows {
        for mechanism in MECHANISMS {
            let server = Server::start(layer.layer(failing!(mechanism, make))).await;
            for protocol in PROTOCOLS {
                let mut client = server.connect(protocol).await;
                let case = format!("{mechanism:?} over {protocol:?}");
                let got = client.get("/").await;
                differences.note(&format!("GET {case}"), &got, &format!("{head}{body}"));
                let got = client.ask(Method::HEAD, "/").await;
                differences.note(&format!("HEAD {case}"), &got, head);
            }
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn a_renderer_that_fails_is_a_500_and_runs_once() {
    let failures: [fn() -> Rendered; 3] = [
        || panic!("the password is hunter2"),
        || HttpException::gone(SECRET_TEXT).raise(),
        || std::panic::panic_any(HttpException::gone(SECRET_TEXT)),
    ];
    let head = PLAIN_500.split(" | {").next().unwrap();
    for fail in failures {
        for mechanism in MECHANISMS {
            let runs = Arc::<AtomicUsize>::default();
            let counter = Arc::clone(&runs);
            let layer = ExceptionLayer::new().with_renderer(move |_: &_, _: &_| {
                counter.fetch_add(1, SeqCst);
                fail()
            });
            let make =
                || HttpException::not_found("x").with_header(name("x-own"), value(SECRET_TEXT));
            let server = Server::start(layer.layer(failing!(mechanism, make))).await;
            for protocol in PROTOCOLS {
                let mut client = server.connect(protocol).await;
                for (method, expected) in [(Method::GET, PLAIN_500), (Method::HEAD, head)] {
                    runs.store(0, SeqCst);
                    let received = client.ask(method, "/").await;
                    assert_eq!(received, expected, "{mechanism:?} over {protocol:?}");
                    assert_eq!(runs.load(SeqCst), 1, "{mechanism:?} over {protocol:?}");
                }
            }
        }
    }
}

/// A layer between the service and the exception layer sets headers before the exception is
/// rendered anew.
#[tokio::test]
async fn headers_set_between_stay_except_those_that_describe_the_old_body() {
    let set = |name, text| SetResponseHeaderLayer::overriding(name, value(text));
    let stack = ServiceBuilder::new()
        .layer(ExceptionLayer::new().with_renderer(text))
        .layer(set(name("x-between"), "between"))
        .layer(set(name("x-both"), "between"))
        .layer(set(header::CONTENT_RANGE, "bytes 0-1/2"))
        .layer(set(header::CONTENT_LENGTH, "26"));
    let make = || {
        HttpException::not_found("Item not found")
            .with_header(name("x-own"), value("1"))
            .with_header(name("x-own"), value("2"))
            .with_header(name("x-both"), value("own"))
    };
    let server = Server::start(stack.service(failing!(Mechanism::Attached, make))).await;
    for protocol in PROTOCOLS {
        assert_eq!(
            server.connect(protocol).await.get("/").await,
            "404 | content-length: 28 | content-type: text/plain | x-between: between | x-both: between | \
             x-own: 1 | x-own: 2 | it was a 404: Item not found"
        );
    }
}

/// The default rendering of an inner layer is provisional.
#[tokio::test]
async fn the_outermost_renderer_wins() {
    fn other(_: &HttpException, _: &Caught) -> Rendered {
        Rendered::new(value("text/html"), "<h1>other</h1>")
    }
    let make = || HttpException::not_found("x").with_header(name("x-own"), value("own"));
    let json = r#"404 | content-length: 14 | content-type: application/json | x-own: own | {"detail":"x"}"#;
    let html = "404 | content-length: 14 | content-type: text/html | x-own: own | <h1>other</h1>";
    let plain_text =
        "404 | content-length: 15 | content-type: text/plain | x-own: own | it was a 404: x";
    for mechanism in MECHANISMS {
        let none = ExceptionLayer::new;
        let service = || failing!(mechanism, make);
        let servers = [
            (
                json,
                Server::start(none().layer(none().layer(service()))).await,
            ),
            (
                plain_text,
                Server::start(none().with_renderer(text).layer(none().layer(service()))).await,
            ),
            (
                html,
                Server::start(none().layer(none().with_renderer(other).layer(service()))).await,
            ),
            (
                plain_text,
                Server::start(
                    none()
                        .with_renderer(text)
                        .layer(none().with_renderer(other).layer(service())),
                )
                .await,
            ),
            (
                plain_text,
                Server::start(
                    none()
                        .with_renderer(text)
                        .layer(none().layer(none().layer(service()))),
                )
                .await,
            ),
        ];
        for (expected, server) in servers {
            let (head, _) = expected.rsplit_once(" | ").unwrap();
            for protocol in PROTOCOLS {
                let mut client = server.connect(protocol).await;
                assert_eq!(client.get("/").await, expected, "{mechanism:?}");
                assert_eq!(client.ask(Method::HEAD, "/").await, head, "{mechanism:?}");
            }
        }
    }
}

/// An inner layer makes an exception of an error and of a panic.
#[tokio::test]
async fn the_outermost_renderer_renders_a_panic_caught_by_an_inner_layer() {
    let service = service_fn(
        async |_: Request<Incoming>| -> Result<Response<Full<Bytes>>, BoxError> {
            panic!("the password is hunter2")
        },
    );
    let stack = ServiceBuilder::new()
        .layer(ExceptionLayer::new().with_renderer(text))
        .layer(ExceptionLayer::new());
    let server = Server::start(stack.service(service)).await;
    assert_eq!(
        server.connect(Protocol::Http1).await.get("/").await,
        "500 | content-length: 35 | content-type: text/plain | it was a 500: Internal Server Error"
    );
}

#[tokio::test]
async fn a_rendered_exception_is_attached_only_below_another_layer() {
    /// Returns a function that writes the attached exception into a header.
    fn probe<B>(header: &'static str) -> impl Clone + Fn(Response<B>) -> Response<B> {
        move |mut response| {
            let exception = response.extensions().get::<HttpException>();
            let shown = exception.map_or("none".to_owned(), ToString::to_string);
            let shown = HeaderValue::try_from(shown).unwrap();
            response.headers_mut().insert(name(header), shown);
            response
        }
    }

    for mechanism in [Mechanism::Returned, Mechanism::Raised] {
        let make = || HttpException::gone("x");
        let stack = ServiceBuilder::new()
            .layer(MapResponseLayer::new(probe("x-outside")))
            .layer(ExceptionLayer::new());
        let server = Server::start(stack.service(failing!(mechanism, make))).await;
        let expected = r#"410 | content-length: 14 | content-type: application/json | x-outside: none | {"detail":"x"}"#;
        assert_eq!(
            server.connect(Protocol::Http1).await.get("/").await,
            expected,
            "{mechanism:?}"
        );

        let stack = ServiceBuilder::new()
            .layer(ExceptionLayer::new())
            .layer(MapResponseLayer::new(probe("x-between")))
            .layer(ExceptionLayer::new());
        let server = Server::start(stack.service(failing!(mechanism, make))).await;
        let expected = r#"410 | content-length: 14 | content-type: application/json | x-between: 410: x | {"detail":"x"}"#;
        assert_eq!(
            server.connect(Protocol::Http1).await.get("/").await,
            expected,
            "{mechanism:?}"
        );

        let stack = ServiceBuilder::new()
            .layer(MapResponseLayer::new(probe("x-outside")))
            .layer(configured_layer())
            .layer(MapResponseLayer::new(probe("x-between")))
            .layer(configured_layer());
        let server = Server::start(stack.service(failing!(mechanism, make))).await;
        let expected = r#"410 | content-length: 14 | content-type: application/json | x-between: 410: x | x-outside: none | {"detail":"x"}"#;
        assert_eq!(
            server.connect(Protocol::Http1).await.get("/").await,
            expected,
            "{mechanism:?}"
        );
    }
}
