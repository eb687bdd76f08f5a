//! Bytes and frames on the wire, which clients do not show.

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, Status};
use tower::{BoxError, ServiceBuilder};
use tower_exception::{ExceptionLayer, HttpException};

use crate::{
    client,
    faults::{Way, exception},
    generated::{ItemId, Total},
    support::{self, PROTOCOLS, Protocol, Received, Server, within},
};

/// Serves a service that always fails with `exception`.
async fn raising(exception: HttpException) -> Server {
    let service = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .service_fn(move |_: Request<Incoming>| {
            let exception = exception.clone();
            async move { Err::<Response<Full<Bytes>>, BoxError>(exception.into()) }
        });
    Server::start(service).await
}

/// Serves a service whose body has these frames and then fails.
async fn failing(frames: &'static [&'static str], way: Way) -> Server {
    let service = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .service_fn(move |request: Request<Incoming>| async move {
            let end = stream::once(async move {
                let Err(error) = way.in_tower().await;
                Err(error)
            });
            let frames = stream::iter(frames.iter().copied().map(Ok)).chain(end);
            let mut response = Response::new(support::body(frames));
            let headers = request.headers();
            let form = headers.get(ACCEPT).unwrap_or(&headers[CONTENT_TYPE]);
            response.headers_mut().insert(CONTENT_TYPE, form.clone());
            Ok::<_, BoxError>(response)
        });
    Server::start(service).await
}

fn call(content_type: &'static str) -> Request<Full<Bytes>> {
    let mut request = support::request(Method::POST, "/items.v1.Items/Get");
    let content_type = HeaderValue::from_static(content_type);
    request.headers_mut().insert(CONTENT_TYPE, content_type);
    request
}

async fn ask(server: &Server, protocol: Protocol, content_type: &'static str) -> Received {
    let mut client = server.connect(protocol).await;
    client.exchange(call(content_type)).await.unwrap()
}

/// Returns the expected trailers-only response: the status of the exception is in its head.
fn trailers_only(content_type: &str, protocol: Protocol) -> String {
    let length = match protocol {
        Protocol::Http1 => " | content-length: 0",
        Protocol::Http2 => "",
    };
    format!(
        "200{length} | content-type: {content_type} | grpc-message: Item not found | \
         grpc-status: 5 | x-own: own"
    )
}

#[tokio::test]
async fn every_content_type_of_grpc_gets_a_status() {
    let server = raising(exception()).await;
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc+json",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc-web+json",
        "application/grpc-web-text",
        "application/grpc-web-text+proto",
    ] {
        for protocol in PROTOCOLS {
            let received = ask(&server, protocol, content_type).await;
            let expected = trailers_only(content_type, protocol);
            assert_eq!(received.to_string(), expected);
        }
    }
}

#[tokio::test]
async fn content_types_with_parameters_and_other_suffixes_get_a_status() {
    let server = raising(exception()).await;
    for (content_type, expected) in [
        ("application/grpc;charset=utf-8", "application/grpc"),
        ("application/grpc+proto; v=1", "application/grpc+proto"),
        ("Application/gRPC-Web+Proto", "application/grpc-web+proto"),
    ] {
        for protocol in PROTOCOLS {
            let received = ask(&server, protocol, content_type).await;
            assert_eq!(received.to_string(), trailers_only(expected, protocol));
        }
    }
    // An unknown message type is gRPC too.
    for content_type in ["application/grpc+thrift", "application/grpc-web+thrift"] {
        let received = ask(&server, Protocol::Http2, content_type).await;
        assert_eq!(received.status, 200);
        assert_eq!(received.headers["grpc-status"], "5");
        let received_type = received.headers[CONTENT_TYPE].to_str().unwrap();
        assert!(content_type.starts_with(received_type), "{received_type}");
    }
}

#[tokio::test]
async fn other_requests_get_json() {
    const JSON: &str = r#"404 | content-length: 27 | content-type: application/json | x-own: own | {"detail":"Item not found"}"#;
    let server = raising(exception()).await;
    for protocol in PROTOCOLS {
        for content_type in [
            "application/grpcfoo",
            "application/grpc-webfoo",
            "application/json",
            "text/application/grpc",
        ] {
            let received = ask(&server, protocol, content_type).await;
            assert_eq!(received.to_string(), JSON, "{content_type}");
        }
        // gRPC has no method but POST.
        let mut request = call("application/grpc");
        *request.method_mut() = Method::GET;
        let mut client = server.connect(protocol).await;
        assert_eq!(client.exchange(request).await.unwrap().to_string(), JSON);
    }
}

#[tokio::test]
async fn trailers_only_in_bytes_over_http1() {
    let server = raising(exception()).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = "POST /items.v1.Items/Get HTTP/1.1\r\n\
                   host: test\r\n\
                   content-type: application/grpc-web+proto\r\n\
                   content-length: 0\r\n\
                   connection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = String::new();
    within(stream.read_to_string(&mut received)).await.unwrap();

    let head = received.strip_suffix("\r\n\r\n").expect("there is a body");
    let mut lines: Vec<_> = head.split("\r\n").collect();
    lines.retain(|line| !line.starts_with("date: "));
    lines.sort_unstable();
    let expected = [
        "HTTP/1.1 200 OK",
        "connection: close",
        "content-length: 0",
        "content-type: application/grpc-web+proto",
        "grpc-message: Item not found",
        "grpc-status: 5",
        "x-own: own",
    ];
    assert_eq!(lines, expected);
}

/// The head ends the stream: there is no DATA frame, and there are no trailers.
#[tokio::test]
async fn trailers_only_is_one_frame_over_http2() {
    const HEADERS: u8 = 1;
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;
    const STREAM: [u8; 4] = [0, 0, 0, 1];

    let server = raising(exception()).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // Empty settings.
    request.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/items.v1.Items/Get"),
        (":authority", "test"),
        ("content-type", "application/grpc"),
    ] {
        // A literal that is not indexed (RFC 7541, section 6.2.2).
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    request.extend([0, 0, u8::try_from(block.len()).unwrap(), HEADERS]);
    request.push(END_STREAM | END_HEADERS);
    request.extend(STREAM);
    request.extend(block);
    stream.write_all(&request).await.unwrap();

    // Frames of the connection precede the head.
    loop {
        let mut head = [0; 9];
        within(stream.read_exact(&mut head)).await.unwrap();
        let [a, b, c, kind, flags, id @ ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        within(stream.read_exact(&mut payload)).await.unwrap();
        if id == STREAM {
            assert_eq!((kind, flags), (HEADERS, END_STREAM | END_HEADERS));
            break;
        }
    }

    let mut client = server.connect(Protocol::Http2).await;
    let response = client.send(call("application/grpc")).await.unwrap();
    assert!(response.body().is_end_stream());
}

/// Returns the status that tonic's client receives for `exception`.
async fn status_of(exception: HttpException) -> Status {
    let server = raising(exception).await;
    let mut client = client::grpc(server.address());
    within(client.get(ItemId::default())).await.unwrap_err()
}

#[tokio::test]
async fn any_text_arrives() {
    for text in [
        "",
        " ",
        " spaces  around ",
        "100% of 50%25",
        "Grüße, 世界 🦀",
        "\u{0}\t\r\n\u{1b}[31m\u{7f}\u{85}\u{feff}",
        "grpc-status: 0\r\n\r\n",
    ] {
        let status = status_of(HttpException::not_found(text.to_owned())).await;
        assert_eq!((status.code(), status.message()), (Code::NotFound, text));
    }
    let long = "ß%".repeat(700);
    let status = status_of(HttpException::not_found(long.clone())).await;
    assert_eq!(status.message(), long);
}

#[tokio::test]
async fn without_a_detail_the_message_is_the_canonical_reason() {
    let status = status_of(StatusCode::NOT_FOUND.into()).await;
    assert_eq!(status.message(), "Not Found");
}

/// The headers of an exception are metadata, except those that gRPC or HTTP define.
#[tokio::test]
async fn reserved_headers_are_no_metadata() {
    let mut raised = exception();
    for (name, value) in [
        ("grpc-status", "0"),
        ("grpc-message", "all is well"),
        ("grpc-status-details-bin", "CAUQ"),
        ("grpc-encoding", "gzip"),
        ("grpc-own", "own"),
        ("content-type", "text/html"),
        ("content-length", "7"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("x-own", "too"),
        ("x-own-bin", "AAEC"),
    ] {
        raised = raised.try_with_header(name, value).unwrap();
    }
    let server = raising(raised).await;
    for protocol in PROTOCOLS {
        let received = ask(&server, protocol, "application/grpc-web").await;
        let expected = trailers_only("application/grpc-web", protocol);
        let expected = format!("{expected} | x-own: too | x-own-bin: AAEC");
        assert_eq!(received.to_string(), expected);
    }
}

/// A client accepts a head of 16 KiB, or of 8 KiB. It would not accept a longer status at all.
#[tokio::test]
async fn a_text_too_long_for_a_head_is_cut() {
    let text = "Grüße ".repeat(20_000);
    let status = status_of(HttpException::not_found(text.clone())).await;
    assert_eq!(status.code(), Code::NotFound, "{status:?}");
    assert!(status.message().len() > 1_000, "{status:?}");
    let start = status.message().strip_suffix("...").unwrap();
    assert!(text.starts_with(start), "{status:?}");

    let detail = serde_json::json!({ "reason": text });
    let status = status_of(HttpException::not_found(detail)).await;
    assert_eq!(status.code(), Code::NotFound, "{status:?}");
}

#[tokio::test]
async fn a_text_too_long_for_trailers_is_cut() {
    let service = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .service_fn(async |_: Request<Incoming>| {
            let exception = HttpException::not_found("Grüße ".repeat(20_000));
            let mut response = Response::new(support::body(stream::once(exception.raise_async())));
            let grpc = HeaderValue::from_static("application/grpc");
            response.headers_mut().insert(CONTENT_TYPE, grpc);
            Ok::<_, BoxError>(response)
        });
    let server = Server::start(service).await;
    let mut client = client::grpc(server.address());
    for _ in 0..2 {
        let stream = within(client.list(Total::default())).await.unwrap();
        let status = within(stream.into_inner().message()).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
        assert!(status.message().starts_with("Grüße "), "{status:?}");
    }
}

/// Metadata is ASCII. Other values are base64 under a name that ends in `-bin`.
#[tokio::test]
async fn headers_that_are_not_ascii_are_no_metadata() {
    let latin = HeaderValue::from_bytes(b"caf\xe9").unwrap();
    let name = HeaderName::from_static("x-latin");
    let server = raising(exception().with_header(name, latin)).await;
    let received = ask(&server, Protocol::Http2, "application/grpc").await;
    let expected = trailers_only("application/grpc", Protocol::Http2);
    assert_eq!(received.to_string(), expected);
}

/// Splits a body into the messages, and the lines of the trailer frame in the order of their names.
fn web_parts(body: &[u8], messages: usize) -> (&[u8], Vec<&str>) {
    let (before, frame) = body.split_at(messages);
    let [0x80, a, b, c, d, lines @ ..] = frame else {
        panic!("no trailer frame: {:?}", frame.escape_ascii().to_string());
    };
    let length = u32::from_be_bytes([*a, *b, *c, *d]);
    assert_eq!(lines.len(), usize::try_from(length).unwrap());
    let lines = std::str::from_utf8(lines).unwrap();
    let mut lines: Vec<_> = lines.split_terminator("\r\n").collect();
    lines.sort_unstable();
    (before, lines)
}

const LINES: [&str; 3] = ["grpc-message:Item not found", "grpc-status:5", "x-own:own"];

const RAISING: [Way; 3] = [Way::Returned, Way::Raised, Way::RaisedAsync];

#[tokio::test]
async fn a_binary_stream_ends_in_a_trailer_frame() {
    const MESSAGE: &str = "\0\0\0\0\x02\x08\x01";
    for way in RAISING {
        for frames in [&[][..], &[MESSAGE], &[MESSAGE, MESSAGE]] {
            let server = failing(frames, way).await;
            for protocol in PROTOCOLS {
                // Twice over one connection.
                let mut client = server.connect(protocol).await;
                for _ in 0..2 {
                    let request = call("application/grpc-web+proto");
                    let received = client.exchange(request).await.unwrap();
                    assert_eq!(received.status, 200);
                    assert!(!received.headers.contains_key("grpc-status"));
                    let messages = frames.concat();
                    let (before, lines) = web_parts(&received.body, messages.len());
                    assert_eq!(before, messages.as_bytes());
                    assert_eq!(lines, LINES);
                    assert!(received.trailers.is_none());
                }
            }
        }
    }
}

/// Base64 may be padded after any group of four characters. The layer adds padding if the last
/// group is incomplete, with one byte of three or with two.
#[tokio::test]
async fn a_text_stream_ends_in_a_trailer_frame() {
    // Messages of seven bytes and of five, with padding and without it, and one of six.
    const SEVEN: &str = "AAAAAAIIAQ==";
    const FIVE: &str = "AAAAAAA=";
    const SIX: &str = "AAAAAAF4";
    for way in RAISING {
        for (frames, sent) in [
            (&[][..], ""),
            (&[SIX], SIX),
            (&[SEVEN], SEVEN),
            (&[FIVE], FIVE),
            (&[SEVEN, FIVE], "AAAAAAIIAQ==AAAAAAA="),
            (&["AAAAAAIIAQ"], SEVEN),
            (&["AAAAAAA"], FIVE),
            (&["AA", "AAAAF", "4"], SIX),
            (&["A", "AAA", "AAI", "IA", "Q"], SEVEN),
            (&["AAAAAA", "IIAQ", "=="], SEVEN),
            (&["AAAAAAIIAQ=", "="], SEVEN),
        ] {
            let server = failing(frames, way).await;
            for protocol in PROTOCOLS {
                let received = ask(&server, protocol, "application/grpc-web-text+proto").await;
                let body = std::str::from_utf8(&received.body).unwrap();
                assert!(body.starts_with(sent), "{frames:?}: {body}");
                let decoded = decode(body);
                let (before, lines) = web_parts(&decoded, decode(sent).len());
                assert_eq!(before, decode(sent), "{frames:?}");
                assert_eq!(lines, LINES, "{frames:?}");
            }
        }
    }
}

/// A client would take the status for the rest of the message, so the body ends in an error.
#[tokio::test]
async fn an_incomplete_message_ends_in_an_error() {
    for (content_type, frames) in [
        ("application/grpc-web", &["\0\0\0\0\x02\x08"][..]),
        ("application/grpc-web", &["\0\0\0\0\0", "\0\0"]),
        ("application/grpc-web-text", &["AAAAAAII"]),
        ("application/grpc-web-text", &["AAAAAAIIA"]),
        ("application/grpc-web-text", &["AAAA"]),
    ] {
        let server = failing(frames, Way::Raised).await;
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            let received = client.exchange(call(content_type)).await;
            assert!(received.is_err(), "{frames:?}: {received:?}");
        }
    }
}

#[tokio::test]
async fn no_text_of_an_error_or_a_panic_is_in_the_trailers() {
    const INTERNAL: [&str; 2] = ["grpc-message:Internal Server Error", "grpc-status:13"];
    for way in [Way::Error, Way::Panicked] {
        let server = failing(&[], way).await;
        for protocol in PROTOCOLS {
            let received = ask(&server, protocol, "application/grpc-web").await;
            assert_eq!(web_parts(&received.body, 0).1, INTERNAL);
            let received = ask(&server, protocol, "application/grpc-web-text").await;
            let body = decode(std::str::from_utf8(&received.body).unwrap());
            assert_eq!(web_parts(&body, 0).1, INTERNAL);
        }
    }
}

/// tonic-web responds in the form that the client accepts, which may differ from the form of the
/// request.
#[tokio::test]
async fn the_trailer_frame_has_the_form_of_the_response() {
    const BINARY: &str = "application/grpc-web+proto";
    const TEXT: &str = "application/grpc-web-text+proto";
    let server = failing(&[], Way::Returned).await;
    for (content_type, accept) in [(TEXT, BINARY), (BINARY, TEXT)] {
        let mut request = call(content_type);
        let value = HeaderValue::from_static(accept);
        request.headers_mut().insert(ACCEPT, value);
        let mut client = server.connect(Protocol::Http1).await;
        let received = client.exchange(request).await.unwrap();
        assert_eq!(received.headers[CONTENT_TYPE], accept);
        let body = match accept {
            TEXT => decode(std::str::from_utf8(&received.body).unwrap()),
            _ => received.body.to_vec(),
        };
        assert_eq!(web_parts(&body, 0).1, LINES);
    }
}

/// In gRPC the status is in the trailers of HTTP.
#[tokio::test]
async fn a_grpc_stream_ends_in_trailers() {
    const MESSAGE: &str = "\0\0\0\0\x02\x08\x01";
    for way in RAISING {
        let server = failing(&[MESSAGE], way).await;
        let received = ask(&server, Protocol::Http2, "application/grpc").await;
        assert_eq!(
            received.to_string(),
            format!("200 | content-type: application/grpc | {MESSAGE}")
        );
        let trailers = received.trailers.unwrap();
        let mut lines: Vec<_> = trailers
            .iter()
            .map(|(name, value)| format!("{name}:{}", value.to_str().unwrap()))
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, LINES);
    }
}

/// Decodes base64 that may be padded after any group of four characters.
fn decode(text: &str) -> Vec<u8> {
    let quartets = text.as_bytes().chunks(4);
    quartets.flat_map(|it| BASE64.decode(it).unwrap()).collect()
}
