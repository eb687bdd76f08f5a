//! Any gRPC-Web body in any pieces, which ends in any way: its messages stay as they are, and a
//! failure becomes the one frame of trailers, which is last. A failure that cannot become one cuts
//! the body.
//!
//! A parser of the format that is independent of the crate's reads what the client receives.
#![no_main]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_executor::block_on;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_exception::{ExceptionLayer, GrpcCode, HttpException, Outcome};
use tower_exception_fuzz::{
    base64,
    body::{ENDS, End, Part, Received, ScriptedBody},
    input::Input,
    panics,
};

const TEXT: &str = "application/grpc-web-text+proto";

const CONTENT_TYPES: [&str; 6] = [
    "application/grpc-web+proto",
    TEXT,
    "application/grpc-web",
    "application/grpc-web-text",
    "application/grpc-web+json",
    "application/grpc-web-text; charset=utf-8",
];

/// Statuses that a failure has.
const STATUSES: [u16; 6] = [503, 404, 422, 100, 700, 200];

/// A response of a service.
struct Script {
    content_type: &'static str,
    body: ScriptedBody,
    /// Code in the frame of trailers that the service has written, if any.
    own_code: Option<i32>,
    /// Whether the body has bytes that are of no known structure.
    is_raw: bool,
}

impl Script {
    fn read(data: &[u8]) -> Self {
        let mut input = Input::new(data);
        let content_type = input.choose(&CONTENT_TYPES);
        let end = input.choose(&ENDS);
        let status = StatusCode::from_u16(input.choose(&STATUSES)).expect("three digits");
        let cut = input.choose(&[4096, 1, 2, 3, 7]);
        let is_padded = input.choose(&[false, true]);
        let waits = input.choose(&[false, true]);
        // The body fails before all of it is sent.
        let dropped = usize::from(input.byte());
        let exception = HttpException::new(status).with_detail(input.text());
        let is_text = content_type.contains("-text");
        let (mut wire, mut open) = (Vec::new(), Vec::new());
        let (mut own_code, mut is_raw) = (None, false);
        while !input.is_empty() {
            match input.choose(b"abcd") {
                b'a' => open.extend(framed(input.choose(&[0, 1]), input.piece())),
                b'b' => open.extend(framed(0, input.long_piece())),
                b'c' => {
                    let code = i32::from(input.byte() % 20);
                    let lines = format!("grpc-status:{code}\r\ngrpc-message:a%20b\r\n");
                    is_raw |= own_code.is_some();
                    own_code = Some(code);
                    open.extend(framed(0x80, lines.as_bytes()));
                }
                _ => {
                    open.extend(input.piece());
                    is_raw = true;
                }
            }
            if is_text && is_padded {
                wire.extend(base64::encode(&std::mem::take(&mut open)));
            }
        }
        match is_text {
            true => wire.extend(base64::encode(&open)),
            false => wire.extend(open),
        }
        if end != End::Whole {
            wire.truncate(wire.len() - dropped.min(wire.len()));
        }
        if is_text && is_raw && dropped % 2 == 1 {
            wire.extend(input_of_text(data));
        }
        let mut parts = VecDeque::new();
        for piece in wire.chunks(cut) {
            parts.push_back(Part::Data(Bytes::copy_from_slice(piece)));
            if waits {
                parts.push_back(Part::Wait);
            }
        }
        if parts.is_empty() && end == End::RaiseWithFrame {
            parts.push_back(Part::Data(Bytes::new()));
        }
        let length = None;
        Self {
            content_type,
            body: ScriptedBody {
                parts,
                end,
                exception,
                length,
            },
            own_code,
            is_raw,
        }
    }
}

/// Returns what a client of the text form cannot decode: the input as it is.
fn input_of_text(data: &[u8]) -> &[u8] {
    &data[..data.len().min(8)]
}

fn framed(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    [&[kind][..], &length.to_be_bytes(), payload].concat()
}

/// The frames of a body.
#[derive(Debug, Default, PartialEq, Eq)]
struct Frames<'a> {
    messages: Vec<(u8, &'a [u8])>,
    trailers: Vec<&'a [u8]>,
    /// Whether a message follows trailers, or trailers follow trailers.
    is_disordered: bool,
    /// Bytes of an incomplete frame.
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    fn of(mut bytes: &'a [u8]) -> Self {
        let mut frames = Self::default();
        while let [kind, a, b, c, d, after @ ..] = bytes {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            if after.len() < length {
                // The kind is known, and a second frame of trailers has begun.
                frames.is_disordered |= !frames.trailers.is_empty();
                break;
            }
            let (payload, rest) = after.split_at(length);
            frames.is_disordered |= !frames.trailers.is_empty();
            match kind & 0x80 {
                0 => frames.messages.push((*kind, payload)),
                _ => frames.trailers.push(payload),
            }
            bytes = rest;
        }
        frames.rest = bytes;
        frames
    }

    /// Returns whether trailers may follow.
    fn may_end(&self) -> bool {
        self.rest.is_empty() && self.trailers.is_empty()
    }
}

fuzz_target!(|data: &[u8]| {
    panics::allow_expected();
    let script = Script::read(data);
    let (received, reports) = run(&script);
    check(&script, &received, &reports);
});

/// Returns what the client receives, and the outcomes that an observer sees.
fn run(script: &Script) -> (Received, Vec<Outcome>) {
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&outcomes);
    let layer = ExceptionLayer::new().observe(move |_, outcome| {
        seen.lock().expect("no panic").push(outcome);
    });
    let service = layer.layer(service_fn(|_: Request<Empty<Bytes>>| async {
        let response = Response::builder().header("content-type", script.content_type);
        response.body(script.body.clone())
    }));
    let request = Request::post("/shop.Items/List")
        .header("content-type", script.content_type)
        .body(Empty::new())
        .expect("the request is valid");
    let received = block_on(async {
        let Ok(response) = service.oneshot(request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().len(), 1, "{:?}", response.headers());
        assert_eq!(response.headers()["content-type"], script.content_type);
        Received::of(response.into_body()).await
    });
    let outcomes = outcomes.lock().expect("no panic").clone();
    (received, outcomes)
}

fn check(script: &Script, received: &Received, reports: &[Outcome]) {
    assert!(received.trailers.is_none(), "HTTP trailers");
    let sent = script.body.data();
    let is_text = script.content_type.contains("-text");
    let decode = |bytes: &[u8]| match is_text {
        true => base64::decode(bytes),
        false => Some(bytes.to_vec()),
    };
    if script.body.end == End::Whole {
        assert_eq!(received.data, sent);
        assert!(received.is_whole);
        check_own_report(script, &sent, reports);
        return;
    }
    let frames = decode(&sent);
    let frames = frames.as_deref().map(Frames::of);
    if frames.is_none() && received.is_whole {
        // No client can decode such a text, whatever follows.
        assert!(received.data.starts_with(&sent));
        return;
    }
    if !frames.as_ref().is_some_and(Frames::may_end) {
        // The frame of the poll that has raised may be lost with the rest.
        let whole = sent.len() - received.data.len().min(sent.len());
        assert!(sent.starts_with(&received.data), "{received:?}");
        assert!(
            whole == 0 || script.body.end == End::RaiseWithFrame,
            "{received:?}"
        );
        assert!(!received.is_whole, "a part of a message looks whole");
        assert_eq!(reports.last(), Some(&Outcome::Aborted));
        return;
    }
    let frames = frames.expect("it may end");
    assert!(received.is_whole, "{received:?}");
    assert!(
        received.data.starts_with(&sent),
        "{received:?} after {sent:?}"
    );
    let decoded = decode(&received.data).expect("a text of whole quanta");
    let result = Frames::of(&decoded);
    assert_eq!(result.messages, frames.messages);
    assert!(
        result.rest.is_empty() && !result.is_disordered,
        "{result:?}"
    );
    let [trailers] = result.trailers[..] else {
        panic!("{:?}", result.trailers);
    };
    let code = check_status(script, trailers);
    assert_eq!(reports, [Outcome::Grpc(code)]);
}

/// Asserts that the trailers of a failure have its status, once. Returns the code.
fn check_status(script: &Script, trailers: &[u8]) -> GrpcCode {
    let text = str::from_utf8(trailers).expect("trailers are ASCII");
    assert!(text.ends_with("\r\n"), "{text:?}");
    let lines: Vec<_> = text
        .trim_end_matches("\r\n")
        .split("\r\n")
        .map(|line| line.split_once(':').expect("a name and a value"))
        .collect();
    let value = |name: &str| {
        let mut values = lines.iter().filter(|line| line.0 == name);
        let value = values.next().map(|line| line.1);
        assert!(values.next().is_none(), "{name} comes twice");
        value
    };
    let body = &script.body;
    let (status, detail) = match body.end.has_exception() {
        true => (
            body.exception.status(),
            body.exception.detail_or_reason().to_string(),
        ),
        false => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal Server Error".to_owned(),
        ),
    };
    // An informational status cannot end an exchange.
    let (status, detail) = match status.is_informational() {
        true => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal Server Error".to_owned(),
        ),
        false => (status, detail),
    };
    let code = GrpcCode::from(status);
    let number = code.as_i32().to_string();
    assert_eq!(value("grpc-status"), Some(&*number));
    let message = value("grpc-message").unwrap_or_default();
    let message = percent_decode_str(message).decode_utf8().expect("UTF-8");
    assert_eq!(message, detail);
    code
}

/// Asserts that a status of the service's own is reported once, unless it is OK.
fn check_own_report(script: &Script, sent: &[u8], reports: &[Outcome]) {
    if script.is_raw {
        return;
    }
    let decoded = match script.content_type.contains("-text") {
        true => base64::decode(sent).expect("what was encoded"),
        false => sent.to_vec(),
    };
    // Frames after the trailers have no meaning.
    if Frames::of(&decoded).is_disordered {
        return;
    }
    let expected = script.own_code.filter(|code| *code != 0);
    let expected = expected.map(|code| Outcome::Grpc(GrpcCode::from_i32(code)));
    assert_eq!(reports, Vec::from_iter(expected));
}
