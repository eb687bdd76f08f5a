//! Any response under a layer that adopts error responses: it passes as it is, or a whole new
//! response is rendered in its place.
//!
//! A rendered response has a header that the renderer of the target sets.
#![no_main]

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Empty;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, HttpException,
    config::Configured,
    render::{Json, Render, Rendered},
};
use tower_exception_fuzz::{
    body::{ENDS, End, Part, Received, ScriptedBody},
    input::Input,
    panics,
};

/// Header that a rendered response has.
const MARK: &str = "x-rendered";

/// Longest texts that the layer adopts: by default, and with a small limit.
const LIMITS: [usize; 2] = [64 * 1024, 20];

/// Longest text without a content type that is adopted.
const MAX_UNTYPED_BYTES: usize = 1024;

const STATUSES: [u16; 8] = [404, 500, 422, 503, 200, 304, 499, 599];

const CONTENT_TYPES: [Option<&str>; 8] = [
    Some("text/plain; charset=utf-8"),
    Some("text/plain"),
    None,
    Some("Text/Plain;charset=\"UTF-8\""),
    Some("text/plain; charset=iso-8859-1"),
    Some("application/json"),
    Some("text/html"),
    Some("text/plainly"),
];

/// Headers of the service: of the response, of the body, and of both.
const HEADERS: [(&str, &str); 7] = [
    ("x-shelf", "7"),
    ("content-encoding", "gzip"),
    ("etag", "\"7\""),
    ("vary", "accept"),
    ("set-cookie", "a=b"),
    ("content-language", "de"),
    ("allow", "GET"),
];

/// A response of a service, and the settings of the layer.
struct Script {
    method: Method,
    status: StatusCode,
    headers: HeaderMap,
    body: ScriptedBody,
    /// Longest text that the layer adopts.
    limit: usize,
    shows_server_errors: bool,
    /// Whether a text has to be ready at once.
    is_hasty: bool,
}

impl Script {
    fn read(data: &[u8]) -> Self {
        let mut input = Input::new(data);
        let method = input.choose(&["GET", "HEAD", "POST"]);
        let status = StatusCode::from_u16(input.choose(&STATUSES)).expect("three digits");
        let mut headers = HeaderMap::new();
        if let Some(content_type) = input.choose(&CONTENT_TYPES) {
            headers.insert("content-type", HeaderValue::from_static(content_type));
        }
        let limit = input.choose(&LIMITS);
        let shows_server_errors = input.choose(&[false, true]);
        let is_hasty = input.choose(&[false, true]);
        let end = input.choose(&ENDS);
        let declares = input.choose(b"abcd");
        let mut parts = VecDeque::new();
        while !input.is_empty() && parts.len() < 64 {
            match input.choose(b"abcdef") {
                b'a' => parts.push_back(Part::Data(Bytes::copy_from_slice(input.piece()))),
                b'b' => parts.push_back(Part::Wait),
                b'c' => {
                    let text = input.piece().repeat(usize::from(input.byte()));
                    parts.push_back(Part::Data(text.into()));
                }
                b'd' => parts.push_back(Part::Data(Bytes::new())),
                b'e' => {
                    let (name, value) = input.choose(&HEADERS);
                    headers.append(name, HeaderValue::from_static(value));
                }
                _ => {
                    let mut trailers = HeaderMap::new();
                    trailers.insert("x-trailer", HeaderValue::from_static("7"));
                    parts.push_back(Part::Trailers(trailers));
                    break;
                }
            }
        }
        let mut body = ScriptedBody {
            parts,
            end,
            exception: HttpException::conflict("of the body"),
            length: None,
        };
        let length = body.data().len() as u64;
        match declares {
            b'a' => {}
            b'b' => body.length = Some(length),
            b'c' => drop(headers.insert("content-length", HeaderValue::from(length))),
            _ => drop(headers.insert("content-length", HeaderValue::from(100_000))),
        }
        Self {
            method: Method::from_bytes(method.as_bytes()).expect("a method"),
            status,
            headers,
            body,
            limit,
            shows_server_errors,
            is_hasty,
        }
    }

    fn layer(&self) -> ExceptionLayer<Configured> {
        let layer = ExceptionLayer::new()
            .adopt_error_responses_up_to(self.limit)
            .with_renderer(Marked);
        let layer = match self.is_hasty {
            true => layer.adopt_error_responses_within(Duration::ZERO),
            false => layer,
        };
        match self.shows_server_errors {
            true => layer.adopt_server_error_texts(),
            false => layer,
        }
    }

    fn response(&self) -> Response<ScriptedBody> {
        let mut response = Response::new(self.body.clone());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }

    /// Returns whether the head is that of a response which may be adopted.
    fn is_candidate(&self) -> bool {
        let is_error = self.status.is_client_error() || self.status.is_server_error();
        let is_text = match self.headers.get("content-type") {
            None => true,
            Some(content_type) => CONTENT_TYPES[..4]
                .iter()
                .flatten()
                .any(|it| it == content_type),
        };
        is_error && is_text && !self.headers.contains_key("content-encoding")
    }

    /// Returns the longest text that is adopted.
    fn max_bytes(&self) -> usize {
        match self.headers.contains_key("content-type") {
            true => self.limit,
            false => self.limit.min(MAX_UNTYPED_BYTES),
        }
    }

    /// Returns whether the head declares a body that is too long, with or without a body.
    fn declares_too_much(&self) -> bool {
        let declared = self.headers.get("content-length");
        let declared = declared.map_or(0, |it| {
            it.to_str().expect("digits").parse().expect("a number")
        });
        declared.max(self.body.length.unwrap_or(0)) > self.max_bytes() as u64
    }

    /// Returns the text, if the layer has to adopt the response with it.
    fn text(&self) -> Option<String> {
        let parts = &self.body.parts;
        let is_plain = parts.iter().all(|part| match part {
            Part::Data(_) => true,
            Part::Wait => !self.is_hasty,
            Part::Trailers(_) => false,
        });
        let data = self.body.data();
        let may_be_text = self.headers.contains_key("content-type") || {
            let is_control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
            let first = data.trim_ascii_start().first().copied().unwrap_or_default();
            !b"<{[\"".contains(&first) && !data.iter().any(is_control)
        };
        // The layer stops at 32 frames to let other tasks run, which is a wait.
        let is_ready = !self.is_hasty || parts.len() < 32;
        let is_adopted = self.is_candidate()
            && !self.declares_too_much()
            && self.body.end == End::Whole
            && is_plain
            && is_ready
            && may_be_text
            && data.len() <= self.max_bytes();
        String::from_utf8(data).ok().filter(|_| is_adopted)
    }
}

/// Renderer that marks its responses.
struct Marked;

impl Render for Marked {
    fn render(&self, exception: &HttpException, caught: &Caught) -> Rendered {
        Json.render(exception, caught).with_header(
            http::HeaderName::from_static(MARK),
            HeaderValue::from_static("yes"),
        )
    }
}

fuzz_target!(|data: &[u8]| {
    panics::allow_expected();
    let script = Script::read(data);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let (head, guarded) = runtime.block_on(guarded(&script));
    if head.headers.contains_key(MARK) {
        check_rendered(&script, &head, &guarded);
        return;
    }
    assert_eq!(script.text(), None, "a text that was not adopted");
    assert_eq!(head.status, script.status);
    assert_eq!(head.headers, script.headers);
    if script.method == Method::HEAD && guarded.data.is_empty() {
        return;
    }
    // A body that raises in the poll that returns a frame may lose it.
    let data = script.body.data();
    match script.body.end {
        End::RaiseWithFrame => assert!(data.starts_with(&guarded.data)),
        _ => assert_eq!(guarded.data, data),
    }
    assert_eq!(guarded.is_whole, script.body.end == End::Whole);
    let has_trailers = matches!(script.body.parts.back(), Some(Part::Trailers(_)));
    if script.body.end != End::RaiseWithFrame {
        assert_eq!(guarded.trailers.is_some(), has_trailers);
    }
});

async fn guarded(script: &Script) -> (http::response::Parts, Received) {
    let service = script
        .layer()
        .layer(service_fn(|_: Request<Empty<Bytes>>| async {
            Ok::<_, HttpException>(script.response())
        }));
    let mut request = Request::new(Empty::new());
    *request.method_mut() = script.method.clone();
    let Ok(response) = service.oneshot(request).await;
    let (head, body) = response.into_parts();
    (head, Received::of(body).await)
}

/// Asserts that a rendered response is whole, and has nothing of the service's body.
fn check_rendered(script: &Script, head: &http::response::Parts, received: &Received) {
    assert!(script.is_candidate(), "a response that cannot be adopted");
    assert!(received.is_whole && received.trailers.is_none());
    for name in ["content-encoding", "etag", "content-language"] {
        assert!(!head.headers.contains_key(name), "{name}");
    }
    assert_eq!(head.headers.get_all("content-type").iter().count(), 1);
    assert_eq!(head.headers["content-type"], "application/json");
    let (status, detail) = match script.text() {
        Some(text) if text.is_empty() || hides_text(script) => (script.status, reason(script)),
        Some(text) => (script.status, text),
        // The head is not out while the body is read.
        None if script.body.end.has_exception() => (StatusCode::CONFLICT, "of the body".to_owned()),
        None => {
            assert_eq!(script.body.end, End::Panic, "{received:?}");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Internal Server Error".to_owned(),
            )
        }
    };
    assert_eq!(head.status, status);
    if script.text().is_some() {
        for name in ["x-shelf", "set-cookie", "vary", "allow"] {
            let values = |of: &HeaderMap| of.get_all(name).iter().count();
            assert_eq!(values(&head.headers), values(&script.headers), "{name}");
        }
    }
    if script.method == Method::HEAD {
        assert!(received.data.is_empty());
        return;
    }
    let document: Value = serde_json::from_slice(&received.data).expect("it is JSON");
    assert_eq!(document, json!({ "detail": detail }));
    if let Some(length) = head.headers.get("content-length") {
        assert_eq!(length, &received.data.len().to_string());
    }
}

fn hides_text(script: &Script) -> bool {
    script.status.is_server_error() && !script.shows_server_errors
}

fn reason(script: &Script) -> String {
    script
        .status
        .canonical_reason()
        .unwrap_or_default()
        .to_owned()
}
