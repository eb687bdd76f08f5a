//! Sections 2 to 5: pings and pongs, reserved bits, reserved opcodes, fragments.

use std::slice;

use super::case::{
    BEGIN, BINARY, CONTINUE, Case, END, PING, PONG, Step, at_once, by_byte, by_frame, echoed,
    failed, reply, sent,
};
use crate::support::websocket::{CLOSE, TEXT};

const HELLO: &[u8] = b"Hello, world!";

/// Bytes that are not UTF-8.
const BYTES: &[u8] = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff";

/// A way to cut frames into writes.
type Cut = fn(&[Vec<u8>]) -> Vec<Step>;

pub fn all() -> Vec<Case> {
    [pings(), reserved_bits(), opcodes(), fragments()]
        .into_iter()
        .flatten()
        .collect()
}

fn pings() -> Vec<Case> {
    let ping = |id, payload: &[u8], cut: Cut| {
        let steps = cut(&[sent(PING, payload)]);
        echoed(id, steps, vec![reply(PONG, payload)])
    };
    let ten: Vec<_> = (0..10).map(|number| format!("payload-{number}")).collect();
    let ten = |id, cut: Cut| {
        let pings: Vec<_> = ten.iter().map(|it| sent(PING, it.as_bytes())).collect();
        let pongs = ten.iter().map(|it| reply(PONG, it.as_bytes())).collect();
        echoed(id, cut(&pings), pongs)
    };
    let pong = sent(PONG, b"unsolicited pong payload");
    vec![
        ping("2.1", b"", at_once),
        ping("2.2", HELLO, at_once),
        ping("2.3", BYTES, at_once),
        ping("2.4", &[0xfe; 125], at_once),
        failed("2.5", at_once(&[sent(PING, &[0xfe; 126])]), vec![], 1002),
        ping("2.6", &[0xfe; 125], by_byte),
        echoed("2.7", at_once(&[sent(PONG, b"")]), vec![]),
        echoed("2.8", at_once(slice::from_ref(&pong)), vec![]),
        echoed(
            "2.9",
            at_once(&[pong, sent(PING, b"ping payload")]),
            vec![reply(PONG, b"ping payload")],
        ),
        ten("2.10", at_once),
        ten("2.11", by_byte),
    ]
}

/// Returns a first byte with this value in its three reserved bits.
fn with_reserved(first: u8, bits: u8) -> u8 {
    first | bits << 4
}

/// Makes a case of a text that is echoed, an invalid frame, and a ping that is not answered.
fn failed_after_hello(id: &str, cut: Cut, invalid: Vec<u8>) -> Case {
    let steps = cut(&[sent(TEXT, HELLO), invalid, sent(PING, b"")]);
    failed(id, steps, vec![reply(TEXT, HELLO)], 1002)
}

fn reserved_bits() -> Vec<Case> {
    let text = |bits| sent(with_reserved(TEXT, bits), HELLO);
    let alone = |id, frame| failed(id, at_once(&[frame]), vec![], 1002);
    vec![
        alone("3.1", text(1)),
        failed_after_hello("3.2", at_once, text(2)),
        failed_after_hello("3.3", by_frame, text(3)),
        failed_after_hello("3.4", by_byte, text(4)),
        alone("3.5", sent(with_reserved(BINARY, 5), BYTES)),
        // The suite's words are of a ping, its code sends a binary message.
        alone("3.6", sent(with_reserved(BINARY, 6), HELLO)),
        alone("3.7", sent(with_reserved(CLOSE, 7), b"")),
    ]
}

fn opcodes() -> Vec<Case> {
    let frame = |opcode: u8, payload: &[u8]| sent(0x80 | opcode, payload);
    let alone = |id, frame| failed(id, at_once(&[frame]), vec![], 1002);
    let payload = b"reserved opcode payload";
    vec![
        alone("4.1.1", frame(3, b"")),
        alone("4.1.2", frame(4, payload)),
        failed_after_hello("4.1.3", at_once, frame(5, b"")),
        failed_after_hello("4.1.4", at_once, frame(6, HELLO)),
        failed_after_hello("4.1.5", by_byte, frame(7, HELLO)),
        alone("4.2.1", frame(11, b"")),
        alone("4.2.2", frame(12, payload)),
        failed_after_hello("4.2.3", at_once, frame(13, b"")),
        failed_after_hello("4.2.4", at_once, frame(14, HELLO)),
        failed_after_hello("4.2.5", by_byte, frame(15, HELLO)),
    ]
}

fn fragments() -> Vec<Case> {
    let one = b"fragment1";
    let two = b"fragment2";
    let whole = || reply(TEXT, b"fragment1fragment2");
    let invalid = |id, cut: Cut, frames: &[Vec<u8>]| failed(id, cut(frames), vec![], 1002);
    let in_two = |id, cut: Cut| {
        let frames = [sent(BEGIN, one), sent(END, two)];
        echoed(id, cut(&frames), vec![whole()])
    };
    let around_ping = |id, cut: Cut| {
        let frames = [
            sent(BEGIN, one),
            sent(PING, b"ping payload"),
            sent(END, two),
        ];
        let pong = reply(PONG, b"ping payload");
        echoed(id, cut(&frames), vec![pong, whole()])
    };
    let nothing_to_continue = |id, first, cut: Cut| {
        let continuation = sent(first, b"non-continuation payload");
        invalid(id, cut, &[continuation, sent(TEXT, HELLO)])
    };
    let again = |id, first| {
        let frames = [sent(first, one), sent(BEGIN, two), sent(END, b"fragment3")];
        let twice = [&frames[..], &frames[..]].concat();
        invalid(id, at_once, &twice)
    };
    vec![
        invalid("5.1", at_once, &[sent(0x09, one), sent(END, two)]),
        invalid("5.2", at_once, &[sent(0x0a, one), sent(END, two)]),
        in_two("5.3", at_once),
        in_two("5.4", by_frame),
        in_two("5.5", by_byte),
        around_ping("5.6", at_once),
        around_ping("5.7", by_frame),
        around_ping("5.8", by_byte),
        nothing_to_continue("5.9", END, at_once),
        nothing_to_continue("5.10", END, by_frame),
        nothing_to_continue("5.11", END, by_byte),
        nothing_to_continue("5.12", CONTINUE, at_once),
        nothing_to_continue("5.13", CONTINUE, by_frame),
        nothing_to_continue("5.14", CONTINUE, by_byte),
        failed(
            "5.15",
            at_once(&[
                sent(BEGIN, one),
                sent(END, two),
                sent(CONTINUE, b"fragment3"),
                sent(TEXT, b"fragment4"),
            ]),
            vec![whole()],
            1002,
        ),
        again("5.16", CONTINUE),
        again("5.17", END),
        invalid("5.18", at_once, &[sent(BEGIN, one), sent(TEXT, two)]),
        two_pings("5.19", at_once),
        two_pings("5.20", by_frame),
    ]
}

/// Makes a case of five fragments, with pings after the second and the fourth. The first pong comes
/// before the client goes on.
fn two_pings(id: &str, cut: Cut) -> Case {
    let pings = [b"pongme 1!", b"pongme 2!"];
    let mut steps = cut(&[
        sent(BEGIN, b"fragment1"),
        sent(CONTINUE, b"fragment2"),
        sent(PING, pings[0]),
    ]);
    steps.push(Step::Reply);
    steps.extend(cut(&[
        sent(CONTINUE, b"fragment3"),
        sent(CONTINUE, b"fragment4"),
        sent(PING, pings[1]),
        sent(END, b"fragment5"),
    ]));
    let pongs = pings.map(|ping| reply(PONG, ping));
    let message = reply(TEXT, b"fragment1fragment2fragment3fragment4fragment5");
    echoed(id, steps, pongs.into_iter().chain([message]).collect())
}
