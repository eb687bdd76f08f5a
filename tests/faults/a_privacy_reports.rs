//! Secrets and forged lines in `Debug` texts and in events.

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response,
    header::{AUTHORIZATION, COOKIE, SET_COOKIE},
};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{BoxError, Layer as _, service_fn};
use tower_exception::{
    Caught, CloseCode, Exception, ExceptionLayer, HttpException, Outcome, RequestHead,
    WebSocketException,
};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{self, Outer, SECRET, SecretError, Server, log::Log};

/// Returns an exception whose header, source and nothing else are secret.
fn exception() -> HttpException {
    let mut cookie = HeaderValue::from_static("session=hunter2");
    cookie.set_sensitive(true);
    HttpException::not_found("Item not found")
        .with_header(SET_COOKIE, cookie)
        .with_header(
            "x-api-key".parse().unwrap(),
            HeaderValue::from_static(SECRET),
        )
        .with_source(Outer::of(SecretError))
}

#[track_caller]
fn assert_no_secret(text: &str) {
    assert!(!text.contains(SECRET), "{text}");
    assert!(!text.contains("Inner"), "{text}");
}

// A5
#[test]
fn debug_of_an_exception_shows_neither_header_values_nor_the_source() {
    let http = exception();
    let text = format!("{http:?}");
    assert_no_secret(&text);
    assert!(
        text.contains(r#"headers: {"set-cookie", "x-api-key"}, source: Some(..)"#),
        "{text}"
    );
    assert!(text.contains("Item not found"), "{text}");
    assert_no_secret(&format!("{:#?}", Exception::Http(http)));

    let close = WebSocketException::new(CloseCode::POLICY_VIOLATION).with_source(SecretError);
    assert_no_secret(&format!("{close:?}"));
    assert_no_secret(&format!("{:?}", Exception::WebSocket(close)));
}

// A5
#[test]
fn debug_of_a_request_head_shows_neither_header_values_nor_the_query() {
    let (parts, ()) = Request::get("http://user:hunter2@host/items/2?token=hunter2")
        .header(AUTHORIZATION, "Bearer hunter2")
        .header(COOKIE, "session=hunter2")
        .header("x-api-key", SECRET)
        .body(())
        .unwrap()
        .into_parts();
    let text = format!("{:?}", RequestHead::from(&parts));
    assert_no_secret(&text);
    assert_eq!(
        text,
        "RequestHead { method: GET, path: \"/items/2\", version: HTTP/1.1, \
         headers: Some({\"authorization\", \"cookie\", \"x-api-key\"}) }"
    );
}

// A5
#[tokio::test]
async fn debug_of_a_caught_failure_shows_no_secret_of_the_request_or_a_source() {
    /// An error whose derived `Debug` shows its source, as most do.
    #[derive(Debug)]
    struct Query(#[allow(dead_code, reason = "for `Debug`")] SecretError);
    impl std::fmt::Display for Query {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the query failed")
        }
    }
    impl std::error::Error for Query {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    async fn fail(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
        Err(match request.uri().path() {
            "/exception" => exception().into(),
            "/raised" => exception().raise(),
            "/query" => Query(SecretError).into(),
            _ => panic!("at the disco"),
        })
    }
    let texts = Arc::new(Mutex::new(Vec::new()));
    let (observed, handled) = (texts.clone(), texts.clone());
    let layer = ExceptionLayer::new()
        .capture_headers()
        .on(move |query: Caught<Query>| {
            handled
                .lock()
                .unwrap()
                .push(format!("{query:?} {query:#?}"));
            HttpException::gone("")
        })
        .observe(move |caught: &Caught, _: Outcome| {
            observed
                .lock()
                .unwrap()
                .push(format!("{caught:?} {caught:#?}"));
        });
    let server = Server::start(layer.layer(service_fn(fail))).await;
    for path in ["/exception", "/raised", "/query", "/panic"] {
        let mut request = support::request(Method::GET, &format!("{path}?token={SECRET}"));
        let secret = HeaderValue::from_static(SECRET);
        request.headers_mut().insert(AUTHORIZATION, secret.clone());
        request.headers_mut().insert(COOKIE, secret);
        // The client receives the secret header, so that the harness cannot read the response.
        let mut client = server.connect(support::Protocol::Http1).await;
        client.send(request).await.unwrap();
    }
    let texts = texts.lock().unwrap();
    assert_eq!(texts.len(), 5);
    for text in &*texts {
        assert_no_secret(text);
        assert!(text.contains("authorization"), "{text}");
    }
    assert!(
        texts[2].contains(r#"error: "the query failed""#),
        "{}",
        texts[2]
    );
}

/// A line that nobody logged, and escape sequences of a terminal.
const FORGED: &str =
    "no\n2026-01-01T00:00:00Z  INFO auth: login ok\r\u{1b}[2J\u{9b}31m\u{202e}\u{2028}";

/// Writes events into memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Memory {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

// A6
#[tokio::test]
async fn text_in_an_event_forges_no_line() {
    async fn fail(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
        Err(match request.uri().path() {
            "/detail" => HttpException::internal_server_error(FORGED).into(),
            "/source" => HttpException::bad_gateway("")
                .with_source(io::Error::other(FORGED))
                .into(),
            "/error" => FORGED.into(),
            "/close" => WebSocketException::new(CloseCode::INTERNAL_ERROR)
                .with_reason(FORGED)
                .into(),
            "/raised" => HttpException::bad_request(FORGED).raise(),
            _ => panic!("{FORGED}"),
        })
    }
    let memory = Memory::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(memory.clone())
        .finish();
    // Without a global subscriber, an event may be taken for one that nobody is interested in.
    Log::start();
    let _guard = tracing::subscriber::set_default(subscriber);

    let plain = Server::start(ExceptionLayer::new().layer(service_fn(fail))).await;
    let layer = ExceptionLayer::new().observe(|_: &Caught, _: Outcome| {});
    let configured = Server::start(layer.layer(service_fn(fail))).await;
    let paths = [
        "/detail",
        "/source",
        "/error",
        "/close",
        "/raised",
        "/panic",
        "/\u{202e}\u{9b}",
    ];
    for path in paths {
        plain.get(path).await;
        configured.get(path).await;
    }
    let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
    let events: Vec<_> = text
        .lines()
        .filter(|line| line.contains("tower_exception"))
        .collect();
    assert_eq!(events.len(), 2 * paths.len(), "{text}");
    for event in events {
        assert!(
            event.contains(r"no\n2026-01-01T00:00:00Z  INFO auth: login ok\r\u{1b}[2J"),
            "{event}"
        );
        let forged = |c: char| c.is_control() || matches!(c, '\u{202e}' | '\u{2028}');
        assert!(!event.contains(forged), "{event:?}");
    }
    // `fmt` escapes the escape: the path is a text, and the others are displayed.
    assert!(text.contains(r#"path="/\\u{202e}\\u{9b}""#), "{text}");
    assert!(
        !text
            .lines()
            .any(|line| line.starts_with("2026-01-01T00:00:00Z")),
        "{text}"
    );
}

// A5: README's example of a handler that logs.
#[tokio::test]
async fn the_example_that_prints_an_exception_prints_no_secret() {
    let printed = Arc::new(Mutex::new(String::new()));
    let print = Arc::clone(&printed);
    let app = Router::new()
        .route("/", get(async || Err::<(), _>(exception())))
        .layer(ExceptionLayer::new().capture_headers().on(
            move |exception: Caught<HttpException>| {
                *print.lock().unwrap() = format!("OMG! An HTTP error!: {exception:?}");
                HttpException::clone(&exception)
            },
        ));
    let mut request = support::request(Method::GET, "/?token=hunter2");
    request
        .headers_mut()
        .insert(COOKIE, HeaderValue::from_static("session=hunter2"));
    // The client receives the header, so that the response cannot be read by the harness.
    let server = Server::start_axum(app).await;
    let mut client = server.connect(support::Protocol::Http1).await;
    assert_eq!(client.send(request).await.unwrap().status(), 404);
    let printed = printed.lock().unwrap();
    assert!(
        printed.contains("404") && printed.contains("Item not found"),
        "{printed}"
    );
    assert_no_secret(&printed);
}
