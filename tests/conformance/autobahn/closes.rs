//! Section 7: close frames of the client, and bytes after them.

use super::case::{
    BEGIN, Case, Close, END, PING, Step, at_once, close, closed, echoed, failed, reply, sent,
};
use crate::support::websocket::{TEXT, close_payload};

const HELLO: &[u8] = b"Hello World!";

/// Codes that a client may send. The server replies with its code.
const VALID_CODES: [u16; 13] = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
];

/// Codes that no client may send.
const INVALID_CODES: [u16; 9] = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];

/// Codes that no RFC defines. The suite accepts 1000, 1002 and the code itself.
const UNDEFINED_CODES: [u16; 2] = [5000, 65535];

/// Length of the message of 7.1.6.
const LONG_BYTES: usize = 256 * 1024;

pub fn all() -> Vec<Case> {
    [order(), payloads(), codes()]
        .into_iter()
        .flatten()
        .collect()
}

fn step(frames: &[Vec<u8>]) -> Vec<Step> {
    vec![Step::Close(frames.concat())]
}

fn order() -> Vec<Case> {
    let normal = || close(&close_payload(1000, ""));
    let closed =
        |id, frames: &[Vec<u8>], replies| closed(id, step(frames), replies, Close::Code(1000));
    let long = b"BAsd7&jh23".repeat(LONG_BYTES.div_ceil(10));
    let long = &long[..LONG_BYTES];
    let fragments = [sent(BEGIN, b"fragment1"), sent(END, b"fragment2")];
    let [one, two] = fragments;
    vec![
        echoed(
            "7.1.1",
            at_once(&[sent(TEXT, HELLO)]),
            vec![reply(TEXT, HELLO)],
        ),
        closed("7.1.2", &[normal(), close(b"")], vec![]),
        closed("7.1.3", &[normal(), sent(PING, b"")], vec![]),
        closed("7.1.4", &[normal(), sent(TEXT, HELLO)], vec![]),
        closed("7.1.5", &[one, normal(), two], vec![]),
        // The suite accepts a close before the messages. The loop sends each before it reads on.
        closed(
            "7.1.6",
            &[
                sent(TEXT, long),
                sent(TEXT, HELLO),
                normal(),
                sent(PING, b""),
            ],
            vec![reply(TEXT, long), reply(TEXT, HELLO)],
        ),
    ]
}

fn payloads() -> Vec<Case> {
    let with = |id, payload: &[u8], expected| closed(id, step(&[close(payload)]), vec![], expected);
    let invalid = |id, payload: &[u8], code| failed(id, step(&[close(payload)]), vec![], code);
    let normal = Close::Code(1000);
    let reason = |length| close_payload(1000, &"*".repeat(length));
    let not_utf8 = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited";
    vec![
        // tungstenite replies with what it has received: no code.
        with("7.3.1", b"", Close::Empty),
        invalid("7.3.2", b"a", 1002),
        with("7.3.3", &close_payload(1000, ""), normal),
        with("7.3.4", &close_payload(1000, "Hello World!"), normal),
        with("7.3.5", &reason(123), normal),
        invalid("7.3.6", &reason(124), 1002),
        // The suite accepts 1002 too.
        invalid(
            "7.5.1",
            &[&close_payload(1000, ""), &not_utf8[..]].concat(),
            1007,
        ),
    ]
}

fn codes() -> Vec<Case> {
    let numbered = |section: &str, codes: &[u16], expected: fn(u16) -> u16| {
        let case = |(number, code): (u8, &u16)| {
            let steps = step(&[close(&code.to_be_bytes())]);
            let id = format!("{section}.{number}");
            closed(id, steps, vec![], Close::Code(expected(*code)))
        };
        (1..).zip(codes).map(case).collect::<Vec<_>>()
    };
    // tungstenite refuses a code by itself.
    [
        numbered("7.7", &VALID_CODES, |code| code),
        numbered("7.9", &INVALID_CODES, |_| 1002),
        numbered("7.13", &UNDEFINED_CODES, |_| 1002),
    ]
    .into_iter()
    .flatten()
    .collect()
}
