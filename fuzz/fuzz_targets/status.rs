//! Any exception and any `tonic::Status` as a gRPC status, by the crate's own encoding and by
//! tonic's. tonic reads the same of both. Any bytes as `grpc-message`, read by both.
#![no_main]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_executor::block_on;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version,
    header::CONTENT_TYPE,
};
use http_body_util::{BodyExt as _, Empty, Full};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode;
use serde_json::json;
use tonic::{Code, Status, metadata::MetadataMap};
use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};
use tower_exception::{ExceptionLayer, GrpcCode, HttpException};
use tower_exception_fuzz::{
    body::{End, Part, Received, ScriptedBody},
    input::{Input, MAX_FIELDS},
};

/// Statuses of exceptions: with a code of their own, of a class, informational, and unknown ones.
const STATUSES: [u16; 14] = [
    404, 400, 409, 422, 429, 499, 500, 503, 504, 418, 100, 200, 302, 799,
];

/// Length of what a status may have without any of it being left out, in bytes.
const SHORT_BYTES: usize = 1000;

/// Starts and parts of the messages that tonic makes itself. They are not for clients.
const OF_TONIC: [&str; 4] = [
    "grpc-status header missing, mapped from HTTP status code ",
    "Service was not ready: ",
    " while receiving response with status: ",
    "tonic-web: ",
];

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.choose(b"abc") {
        b'a' => check_exception(&exception(&mut input), data.len()),
        b'b' => check_status(&status(&mut input)),
        _ => check_message(input.piece()),
    }
});

fn exception(input: &mut Input<'_>) -> HttpException {
    let status = StatusCode::from_u16(input.choose(&STATUSES)).expect("three digits");
    let mut exception = HttpException::new(status);
    exception = match input.choose(b"abcd") {
        b'a' => exception.with_detail(input.text()),
        b'b' => exception.with_detail(json!({ "text": input.text(), "of": [1.5, null] })),
        b'c' => exception.with_detail(json!([input.text()])),
        _ => exception,
    };
    let mut fields = 0..MAX_FIELDS;
    while !input.is_empty() && fields.next().is_some() {
        exception = match input.choose(b"abcdefgh") {
            b'a' => exception.with_title(input.text()),
            b'b' => exception.with_code(input.text()),
            b'c' => exception.with_type(input.text()),
            b'd' => {
                let delay = u64::from(input.byte()) * u64::from(input.byte());
                exception.with_retry_after(Duration::from_millis(delay))
            }
            b'e' => {
                let (name, value) = (input.text(), input.text());
                let member = exception.clone().try_with_member(name, &value);
                member.unwrap_or(exception)
            }
            b'f' => exception.at(input.text(), input.text()),
            b'g' => exception.with_detail("long ".repeat(usize::from(input.byte()) * 10)),
            _ => {
                let (name, value) = header(input);
                exception.with_header(name, value)
            }
        };
    }
    exception
}

const NAMES: [&str; 8] = [
    "x-shelf",
    "x-row-bin",
    "retry-after",
    "grpc-message",
    "content-length",
    "te",
    "user-agent",
    "grpc-retry-pushback-ms",
];

fn header(input: &mut Input<'_>) -> (HeaderName, HeaderValue) {
    let name = HeaderName::from_static(input.choose(&NAMES));
    let value = HeaderValue::from_bytes(input.piece());
    (name, value.unwrap_or(HeaderValue::from_static("7")))
}

fn status(input: &mut Input<'_>) -> Status {
    let code = Code::from_i32(i32::from(input.byte() % 17));
    let message = input.text();
    let details = Bytes::copy_from_slice(input.piece());
    let mut metadata = HeaderMap::new();
    while !input.is_empty() && metadata.len() < 8 {
        let (name, value) = header(input);
        metadata.append(name, value);
    }
    Status::with_details_and_metadata(code, message, details, MetadataMap::from_headers(metadata))
}

/// Returns the headers of the layer's response to a gRPC request whose service fails.
fn by_layer<E>(error: E) -> HeaderMap
where
    E: Into<BoxError> + Clone + 'static,
{
    let service = ExceptionLayer::new().layer(service_fn(|_: Request<Empty<Bytes>>| {
        let error = error.clone();
        async { Err::<Response<Full<Bytes>>, E>(error) }
    }));
    let response = block_on(service.oneshot(request()));
    let Ok(response) = response;
    assert_eq!(response.status(), 200);
    let (head, body) = response.into_parts();
    let body = block_on(body.collect()).expect("the body is whole");
    assert!(body.to_bytes().is_empty());
    head.headers
}

fn request() -> Request<Empty<Bytes>> {
    Request::post("/shop.Items/List")
        .version(Version::HTTP_2)
        .header(CONTENT_TYPE, "application/grpc+proto")
        .body(Empty::new())
        .expect("the request is valid")
}

/// Returns the status as tonic's client receives it.
fn received(mut headers: HeaderMap) -> Status {
    headers.remove(CONTENT_TYPE);
    Status::from_header_map(&headers).expect("there is a status")
}

/// Returns the headers that tonic's server sends.
fn by_tonic(status: &Status) -> HeaderMap {
    let mut headers = HeaderMap::new();
    status.add_header(&mut headers).expect("tonic encodes it");
    headers
}

/// Returns the message of an exception, which follows its status.
fn text(exception: &HttpException) -> String {
    let shown = exception.to_string();
    shown.get("404: ".len()..).unwrap_or_default().to_owned()
}

/// Asserts that two statuses are the same to a client.
fn assert_same(left: &Status, right: &Status) {
    assert_eq!(left.code(), right.code());
    assert_eq!(left.message(), right.message());
    assert_eq!(left.details(), right.details());
    assert_eq!(left.metadata().as_ref(), right.metadata().as_ref());
}

fn check_exception(exception: &HttpException, length: usize) {
    let headers = by_layer(exception.clone());
    let size: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 32)
        .sum();
    assert!(size <= 8 * 1024, "{size} bytes");
    let sent = received(headers);
    let converted = Status::from(exception.clone());
    assert_same(&sent, &received(by_tonic(&converted)));

    if exception.status().is_informational() {
        assert_eq!(
            (sent.code(), sent.message()),
            (Code::Internal, "Internal Server Error")
        );
        return;
    }
    assert_eq!(sent.code(), Code::from(GrpcCode::from(exception.status())));
    let message = text(exception);
    match sent.message().strip_suffix("...") {
        Some(start) if sent.message() != message => assert!(message.starts_with(start)),
        _ => assert_eq!(sent.message(), message),
    }
    // A status that was made of the exception is the exception.
    let back = HttpException::from(converted);
    assert_eq!(back.location(), exception.location());
    if length <= SHORT_BYTES && text(exception).len() <= SHORT_BYTES {
        check_details(exception, &sent);
    }
}

fn is_of_tonic(text: &str) -> bool {
    OF_TONIC.iter().any(|part| text.contains(part))
}

/// Asserts that a client reads of a status all that the exception says.
fn check_details(exception: &HttpException, sent: &Status) {
    // The client takes such a message for its own library's, and shows nothing of the status.
    if is_of_tonic(sent.message()) {
        return;
    }
    let read = HttpException::from(sent.clone());
    assert_eq!(
        read.status(),
        GrpcCode::from(exception.status()).http_status()
    );
    // A detail that says nothing is one of the other status.
    if !text(exception).is_empty() && read.status() == exception.status() {
        assert_eq!(text(&read), text(exception));
    }
    let code = exception.code().filter(|code| !code.is_empty());
    assert_eq!(read.code(), code);
    assert_eq!(read.retry_after(), exception.retry_after());
    assert_eq!(read.faults().len(), exception.faults().len());
    let members = |of: &HttpException| -> BTreeMap<String, String> {
        let members = of.members();
        members
            .map(|(name, json)| (name.to_owned(), json.get().to_owned()))
            .collect()
    };
    assert_eq!(members(&read), members(exception));
}

fn check_status(status: &Status) {
    if is_of_tonic(status.message()) {
        return;
    }
    let sent = received(by_layer(status.clone()));
    let of_tonic = received(by_tonic(status));
    assert_eq!(sent.code(), of_tonic.code());
    assert_eq!(sent.message(), of_tonic.message());
    assert_eq!(sent.details(), of_tonic.details());
    // The metadata of the crate is tonic's, and may lack what HTTP or gRPC itself defines.
    let (ours, others) = (sent.metadata().as_ref(), of_tonic.metadata().as_ref());
    for name in ["x-shelf", "x-row-bin"] {
        let values =
            |map: &HeaderMap| -> Vec<HeaderValue> { map.get_all(name).iter().cloned().collect() };
        let expected = values(others);
        if expected.iter().all(|value| value.to_str().is_ok()) {
            assert_eq!(values(ours), expected, "{name}");
        } else {
            assert!(values(ours).is_empty(), "{name}");
        }
    }
    let again = Status::from(HttpException::from(status.clone()));
    assert_same(&received(by_tonic(&again)), &sent);
}

/// Asserts that the layer reads a message as tonic does, in trailers that it reports.
fn check_message(encoded: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(encoded) else {
        return;
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("5"));
    trailers.insert("grpc-message", value);
    let body = ScriptedBody {
        parts: VecDeque::from([Part::Trailers(trailers.clone())]),
        end: End::Whole,
        exception: HttpException::gone("no end needs it"),
        length: None,
    };
    let texts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&texts);
    let layer = ExceptionLayer::new().observe(move |caught, _| {
        let exception = caught.outermost().downcast_ref::<HttpException>();
        let text = exception.map(|it| it.detail_or_reason().to_string());
        seen.lock().expect("no panic").push(text);
    });
    let service = layer.layer(service_fn(|_: Request<Empty<Bytes>>| async {
        let response = Response::builder().header(CONTENT_TYPE, "application/grpc+proto");
        response.body(body.clone())
    }));
    let passed = block_on(async {
        let Ok(response) = service.oneshot(request()).await;
        Received::of(response.into_body()).await
    });
    assert_eq!(passed.trailers.as_ref(), Some(&trailers));
    let text = match encoded {
        [] => "Not Found".to_owned(),
        _ => percent_decode(encoded).decode_utf8_lossy().into_owned(),
    };
    let status = received(trailers);
    // tonic makes another status of a message that is not UTF-8.
    if status.code() == Code::NotFound && !encoded.is_empty() {
        assert_eq!(status.message(), text);
    }
    assert_eq!(*texts.lock().expect("no panic"), [Some(text)]);
}
