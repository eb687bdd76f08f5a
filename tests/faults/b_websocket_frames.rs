//! Frames of a client that are valid and that are not (RFC 6455, sections 5 and 7), and the close
//! codes that answer them. The cases are those of sections 2 to 7 of the Autobahn test suite that a
//! server's close frame depends on.

use axum::extract::ws::{Message, WebSocket};
use axum::routing::MethodRouter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::Layer;
use tower_exception::{CloseCode, WebSockets};
use tracing::Level;

use crate::support::{log::Log, websocket::*};

const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const BINARY: u8 = 0x82;
/// First bytes of a fragmented text, of a continuation, and of the last continuation.
const BEGIN: u8 = 0x01;
const CONTINUE: u8 = 0x00;
const END: u8 = 0x80;

/// Bytes in the middle of which UTF-8 ends: a surrogate.
const NOT_UTF8: &[u8] = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited";

/// Returns a frame of a client whose payload is longer than 125 bytes.
fn long(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[first, 0x80 | 126], &length[..], &[0; 4], payload].concat()
}

fn close(payload: &[u8]) -> Vec<u8> {
    masked(CLOSE, payload)
}

/// Bytes of a client, with the code of the close frame that answers them.
type Case = (&'static str, Vec<u8>, u16);

/// Returns frames that the layer sees to be invalid.
fn invalid_frames() -> Vec<Case> {
    let hello = masked(TEXT, b"hello");
    let then = |frame: Vec<u8>| [&hello[..], &frame, &masked(PING, b"")].concat();
    let mut cases = vec![
        ("2.5", long(PING, &[0xfe; 126]), 1002),
        ("3.1 RSV3", masked(0x91, b"hello"), 1002),
        ("3.2 RSV2", then(masked(0xa1, b"hello")), 1002),
        ("3.3 RSV2 and 3", then(masked(0xb1, b"hello")), 1002),
        ("3.4 RSV1", then(masked(0xc1, b"hello")), 1002),
        ("3.5 RSV1 and 3", masked(0xd2, b"\x00\xff"), 1002),
        ("3.6 RSV1 and 2", masked(0xe9, b"hello"), 1002),
        ("3.7 all of them", masked(0xf8, b""), 1002),
        (
            "5.1 a fragmented ping",
            [masked(0x09, b"a"), masked(END, b"b")].concat(),
            1002,
        ),
        (
            "5.2 a fragmented pong",
            [masked(0x0a, b"a"), masked(END, b"b")].concat(),
            1002,
        ),
        (
            "5.9 a stray end",
            [masked(END, b"a"), hello.clone()].concat(),
            1002,
        ),
        (
            "5.12 a stray continuation",
            [masked(CONTINUE, b"a"), hello.clone()].concat(),
            1002,
        ),
        (
            "5.15 a continuation after the end",
            [
                masked(BEGIN, b"a"),
                masked(END, b"b"),
                masked(CONTINUE, b"c"),
                masked(TEXT, b"d"),
            ]
            .concat(),
            1002,
        ),
        (
            "5.18 a text in a text",
            [masked(BEGIN, b"a"), hello.clone()].concat(),
            1002,
        ),
        (
            "a binary in a text",
            [masked(BEGIN, b"a"), masked(BINARY, b"")].concat(),
            1002,
        ),
        ("an unmasked text", frame(TEXT, b"hello"), 1002),
        ("an unmasked ping", frame(PING, b""), 1002),
        ("an unmasked close", close_frame(1000, ""), 1002),
        (
            "a fragmented close",
            masked(0x08, &close_payload(1000, "")),
            1002,
        ),
        (
            "a length of 64 bits",
            [&[BINARY, 0xff], &[0xff; 8][..], &[0; 4]].concat(),
            1002,
        ),
        (
            "an invalid frame and a close",
            [frame(TEXT, b""), masked_close(1000)].concat(),
            1002,
        ),
        ("6.3.1", masked(TEXT, NOT_UTF8), 1007),
        (
            "6.3.2",
            NOT_UTF8
                .iter()
                .map(|byte| masked(CONTINUE, &[*byte]))
                .fold(masked(BEGIN, b""), |text, byte| [text, byte].concat()),
            1007,
        ),
        (
            "6.4.1 before the end",
            [masked(BEGIN, b"\xce\xba"), masked(CONTINUE, b"\xf4\x90")].concat(),
            1007,
        ),
        ("6.6.1 an incomplete character", masked(TEXT, b"\xce"), 1007),
        (
            "an incomplete character in fragments",
            [
                masked(BEGIN, b"\xe1"),
                masked(PING, b"\xff"),
                masked(END, b"\xbd"),
            ]
            .concat(),
            1007,
        ),
        ("7.3.2 a close of one byte", close(b"a"), 1002),
        (
            "7.3.6 a close of 126 bytes",
            long(CLOSE, &close_payload(1000, &"*".repeat(124))),
            1002,
        ),
        (
            "7.5.1 a reason",
            close(&[&1000_u16.to_be_bytes(), NOT_UTF8].concat()),
            1007,
        ),
    ];
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        cases.push(("4.1 and 4.2, opcodes", masked(0x80 | opcode, b""), 1002));
        cases.push((
            "4.1 and 4.2, opcodes",
            then(masked(0x80 | opcode, b"a")),
            1002,
        ));
    }
    for code in [
        0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535,
    ] {
        cases.push(("7.9 and 7.13, codes", masked_close(code), 1002));
    }
    // 6.5 to 6.21: the bytes of single characters.
    for text in [
        &b"\x80"[..],
        b"\xbf",
        b"\x80\xbf",
        b"\xc0 ",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x80\x80",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x80\x80\x80",
        b"\xf0\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
        b"\xfe",
        b"\xff",
        b"\xed\xa0\x80\xed\xb0\x80",
        b"\xc3(",
        b"a\xe2\x82",
    ] {
        cases.push(("6.8 to 6.21, texts", masked(TEXT, text), 1007));
    }
    cases
}

/// Returns frames that are valid, up to a close frame. It is answered by its own code, or by 1000.
fn valid_frames() -> Vec<Case> {
    let then_close = |frames: &[Vec<u8>]| [&frames.concat()[..], &masked_close(1000)].concat();
    let fragments = [
        masked(BEGIN, b"a\xe2\x82"),
        masked(PING, b"\xff"),
        masked(END, b"\xac"),
    ];
    let mut cases = vec![
        (
            "2.4",
            then_close(&[masked(PING, b"\x00\xff\xfe"), masked(PONG, b"\xff")]),
            1000,
        ),
        ("5.6", then_close(&fragments), 1000),
        (
            "6.1 empty fragments",
            then_close(&[masked(BEGIN, b""), masked(CONTINUE, b""), masked(END, b"")]),
            1000,
        ),
        (
            "a binary that is not UTF-8",
            then_close(&[masked(BINARY, NOT_UTF8)]),
            1000,
        ),
        (
            "a binary in fragments",
            then_close(&[
                masked(0x02, b"\xff"),
                masked(END, b"\xff"),
                masked(TEXT, b"a"),
            ]),
            1000,
        ),
        (
            "a length that is not minimal",
            then_close(&[long(TEXT, b"hello")]),
            1000,
        ),
        (
            "a long text",
            then_close(&[long(TEXT, "ä".repeat(9999).as_bytes())]),
            1000,
        ),
        (
            "6.22 noncharacters",
            then_close(&[masked(TEXT, "\u{fffe}\u{10ffff}\0".as_bytes())]),
            1000,
        ),
        (
            "7.1.2 two closes",
            [masked_close(1000), close(b"")].concat(),
            1000,
        ),
        (
            "7.1.3 a ping after a close",
            [masked_close(1000), masked(PING, b"")].concat(),
            1000,
        ),
        (
            "7.1.4 a text after a close",
            [masked_close(1000), masked(TEXT, b"a")].concat(),
            1000,
        ),
        (
            "7.1.5 a close within a text",
            [masked(BEGIN, b"a"), masked_close(1000), masked(END, b"b")].concat(),
            1000,
        ),
        ("7.3.1 no code", close(b""), 1000),
        ("7.3.4 a reason", close(&close_payload(1000, "bye")), 1000),
        (
            "7.3.5 the longest reason",
            close(&close_payload(1000, &"*".repeat(123))),
            1000,
        ),
    ];
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999,
    ] {
        cases.push(("7.7, codes", masked_close(code), code));
    }
    cases
}

/// Echoes as plain axum does.
async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(_) | Message::Binary(_) = message {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    }
}

/// Echoes with `?`.
async fn try_echo(mut socket: WebSocket) -> tower_exception::Result<()> {
    while let Some(message) = socket.recv().await {
        let message = message?;
        if let Message::Text(_) | Message::Binary(_) = message {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// Sends `bytes`, and returns the code of the close frame that comes, or 1005 if it has no code, or
/// `None` if none comes.
async fn code_after(mut io: Box<dyn Io>, bytes: &[u8]) -> Option<u16> {
    within(io.write_all(bytes)).await.unwrap();
    loop {
        let first = within(io.read_u8()).await.ok()?;
        let length = match within(io.read_u8()).await.ok()? {
            126 => usize::from(io.read_u16().await.ok()?),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        within(io.read_exact(&mut payload)).await.ok()?;
        if first == CLOSE {
            let _ = io.write_all(&masked_close(1000)).await;
            within(io.read_to_end(&mut Vec::new())).await.ok();
            return Some(
                payload
                    .first_chunk()
                    .map_or(1005, |code| u16::from_be_bytes(*code)),
            );
        }
    }
}

async fn assert_codes(route: MethodRouter) {
    let log = Log::start();
    let websockets = WebSockets::new().close_timeout(SHORT_CLOSE_TIMEOUT);
    let (layer, _reports) = observed(layer_with(&websockets));
    let address = serve(app(route, layer)).await;
    for (name, bytes, expected) in invalid_frames().into_iter().chain(valid_frames()) {
        for protocol in PROTOCOLS {
            let io = connect_over(protocol, address, "/").await.into_inner();
            let code = code_after(io, &bytes).await;
            // tungstenite itself replies to a close frame without a code.
            let is_right = code == Some(expected) || (expected == 1000 && code == Some(1005));
            assert!(
                is_right,
                "{name} {protocol:?} {bytes:x?}: {code:?} for {expected}"
            );
        }
    }
    all_closed(&websockets).await;
    for event in log.events() {
        assert_eq!(event.level, Level::DEBUG, "{event:?}");
    }
}

// B2
#[tokio::test]
async fn an_invalid_frame_has_its_code_without_the_handle() {
    assert_codes(bare(echo)).await;
}

// B2
#[tokio::test]
async fn an_invalid_frame_has_its_code_with_the_handle() {
    assert_codes(catching(try_echo)).await;
}

/// The layer corrects no code of plain axum: axum sends none for an invalid frame.
#[tokio::test]
async fn axum_alone_has_the_same_codes_or_none() {
    let address = serve(axum::Router::new().route("/", bare(echo))).await;
    for (name, bytes, expected) in invalid_frames().into_iter().chain(valid_frames()) {
        let io = connect_over(Protocol::Http1, address, "/")
            .await
            .into_inner();
        match code_after(io, &bytes).await {
            None | Some(1005) => {}
            Some(code) => assert_eq!(code, expected, "{name} {bytes:x?}"),
        }
    }
}

// B2, B3
#[tokio::test]
async fn an_invalid_frame_has_its_code_whatever_the_application_does() {
    let websockets = WebSockets::new()
        .close_timeout(SHORT_CLOSE_TIMEOUT)
        .close_on_drop(CloseCode::SERVICE_RESTART);
    for (name, bytes, expected) in invalid_frames() {
        // It reads everything, understands nothing, and drops the connection.
        let length = bytes.len();
        let app = accepting(move |mut io: ServerIo| async move {
            io.read_exact(&mut vec![0; length]).await.unwrap();
        });
        let address = serve(layer_with(&websockets).layer(app)).await;
        for protocol in PROTOCOLS {
            let io = connect_over(protocol, address, "/").await.into_inner();
            assert_eq!(
                code_after(io, &bytes).await,
                Some(expected),
                "{name} {bytes:x?}"
            );
        }
    }
    all_closed(&websockets).await;
}

// B2
#[tokio::test]
async fn an_error_after_an_invalid_frame_is_the_clients_fault_in_any_library() {
    let (layer, mut reports) = observed(websocket_layer());
    let app = accepting_and_catching(async |mut io: ServerIo| {
        io.read_exact(&mut [0; 7]).await?;
        Err("no idea what this is".into())
    });
    let address = serve(layer.layer(app)).await;
    let io = connect_over(Protocol::Http1, address, "/")
        .await
        .into_inner();
    assert_eq!(code_after(io, &frame(TEXT, b"hello")).await, Some(1002));
    let report = "Returned WebSocket Close(1002): no idea what this is";
    assert_eq!(reports.next().await, report);
    // The frame is valid, so the error is the server's.
    let io = connect_over(Protocol::Http1, address, "/")
        .await
        .into_inner();
    assert_eq!(code_after(io, &masked(TEXT, b"hello")).await, Some(1011));
}

/// An exception and a panic have their own codes.
// B2
#[tokio::test]
async fn an_exception_after_an_invalid_frame_has_its_own_code() {
    let app = accepting_and_catching(async |mut io: ServerIo| {
        io.read_exact(&mut [0; 7]).await?;
        Err(no_swearing().into())
    });
    let address = serve(websocket_layer().layer(app)).await;
    let io = connect_over(Protocol::Http1, address, "/")
        .await
        .into_inner();
    assert_eq!(code_after(io, &frame(TEXT, b"hello")).await, Some(1008));
}

/// With permessage-deflate the first frame of a compressed message has RSV1, and its payload is not
/// the text itself.
// B2
#[tokio::test]
async fn negotiated_extensions_allow_what_they_define() {
    let compressed = masked(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    let rsv2 = masked(0xa1, b"\xff");
    for (extensions, bytes, expected) in [
        (&["permessage-deflate"][..], &compressed, 1012),
        (
            &["permessage-deflate; server_no_context_takeover"],
            &compressed,
            1012,
        ),
        (&["permessage-deflate"], &rsv2, 1002),
        (&["permessage-deflate"], &masked(0xc0, b""), 1002),
        (&["permessage-deflate"], &masked(0xc9, b""), 1002),
        (&["permessage-deflate"], &masked(TEXT, b"\xff"), 1007),
        (&["permessage-deflate", "x-own"], &rsv2, 1012),
        (&["x-own, permessage-deflate"], &masked(0x83, b""), 1012),
        (&["x-own"], &masked(TEXT, b"\xff"), 1012),
        (&["x-own"], &frame(TEXT, b""), 1002),
    ] {
        let websockets = WebSockets::new().close_on_drop(CloseCode::SERVICE_RESTART);
        let length = bytes.len();
        let accepting = accepting(move |mut io: ServerIo| async move {
            io.read_exact(&mut vec![0; length]).await.unwrap();
        });
        let app = tower::ServiceBuilder::new()
            .layer(layer_with(&websockets))
            .map_response(move |mut response: http::Response<_>| {
                for line in extensions {
                    let headers = response.headers_mut();
                    headers.append("sec-websocket-extensions", line.parse().unwrap());
                }
                response
            })
            .service(accepting);
        let address = serve(app).await;
        let io = connect_over(Protocol::Http1, address, "/")
            .await
            .into_inner();
        let code = code_after(io, bytes).await;
        assert_eq!(code, Some(expected), "{extensions:?} {bytes:x?}");
    }
}
