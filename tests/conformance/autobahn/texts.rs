//! Section 6: texts that are UTF-8, and texts that are not.

use super::case::{
    BEGIN, CONTINUE, Case, END, Step, at_once, by_frame, echoed, failed, reply, sent,
};
use crate::support::websocket::TEXT;

/// Greek letters: 11 bytes of characters that are two and three bytes long.
const GREEK: &[u8] = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";

/// Lengths of the prefixes of [`GREEK`] that end with a character.
const WHOLE_PREFIXES: [usize; 5] = [2, 5, 7, 9, 11];

/// A subsection from 6.7 on: its texts that are valid, and after them those that are not.
type Subsection = (u8, &'static [&'static [u8]], &'static [&'static [u8]]);

/// Subsections whose texts are listed. The others are computed.
const LISTED: &[Subsection] = &[
    (
        5,
        &[
            b"hello\x24world",
            b"hello\xc2\xa2world",
            b"hello\xe2\x82\xacworld",
            b"hello\xf0\xa4\xad\xa2world",
            GREEK,
        ],
        &[],
    ),
    // First characters of each length, then those of five and six bytes, which do not exist.
    (
        7,
        &[b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"],
        &[],
    ),
    (
        8,
        &[],
        &[b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"],
    ),
    // Last characters of each length.
    (
        9,
        &[b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"],
        &[],
    ),
    (
        10,
        &[],
        &[
            b"\xf7\xbf\xbf\xbf",
            b"\xfb\xbf\xbf\xbf\xbf",
            b"\xfd\xbf\xbf\xbf\xbf\xbf",
        ],
    ),
    // Characters around the surrogates and around the last one.
    (
        11,
        &[
            b"\xed\x9f\xbf",
            b"\xee\x80\x80",
            b"\xef\xbf\xbd",
            b"\xf4\x8f\xbf\xbf",
        ],
        &[b"\xf4\x90\x80\x80"],
    ),
    // Impossible bytes.
    (16, &[], &[b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]),
    // Characters in more bytes than they need: a slash, the last of each length, NUL.
    (
        17,
        &[],
        &[
            b"\xc0\xaf",
            b"\xe0\x80\xaf",
            b"\xf0\x80\x80\xaf",
            b"\xf8\x80\x80\x80\xaf",
            b"\xfc\x80\x80\x80\x80\xaf",
        ],
    ),
    (
        18,
        &[],
        &[
            b"\xc1\xbf",
            b"\xe0\x9f\xbf",
            b"\xf0\x8f\xbf\xbf",
            b"\xf8\x87\xbf\xbf\xbf",
            b"\xfc\x83\xbf\xbf\xbf\xbf",
        ],
    ),
    (
        19,
        &[],
        &[
            b"\xc0\x80",
            b"\xe0\x80\x80",
            b"\xf0\x80\x80\x80",
            b"\xf8\x80\x80\x80\x80",
            b"\xfc\x80\x80\x80\x80\x80",
        ],
    ),
    // Surrogates, alone and in pairs.
    (
        20,
        &[],
        &[
            b"\xed\xa0\x80",
            b"\xed\xad\xbf",
            b"\xed\xae\x80",
            b"\xed\xaf\xbf",
            b"\xed\xb0\x80",
            b"\xed\xbe\x80",
            b"\xed\xbf\xbf",
        ],
    ),
    (
        21,
        &[],
        &[
            b"\xed\xa0\x80\xed\xb0\x80",
            b"\xed\xa0\x80\xed\xbf\xbf",
            b"\xed\xad\xbf\xed\xb0\x80",
            b"\xed\xad\xbf\xed\xbf\xbf",
            b"\xed\xae\x80\xed\xb0\x80",
            b"\xed\xae\x80\xed\xbf\xbf",
            b"\xed\xaf\xbf\xed\xb0\x80",
            b"\xed\xaf\xbf\xed\xbf\xbf",
        ],
    ),
    // Special characters, such as the replacement for a character that is unknown.
    (
        23,
        &[
            b"\xef\xbf\xb9",
            b"\xef\xbf\xba",
            b"\xef\xbf\xbb",
            b"\xef\xbf\xbc",
            b"\xef\xbf\xbd",
            b"\xef\xbf\xbe",
            b"\xef\xbf\xbf",
        ],
        &[],
    ),
];

/// Bytes that continue a character, without a beginning.
const CONTINUATIONS: [&[u8]; 7] = [
    b"\x80",
    b"\xbf",
    b"\x80\xbf",
    b"\x80\xbf\x80",
    b"\x80\xbf\x80\xbf",
    b"\x80\xbf\x80\xbf\x80",
    b"\x80\xbf\x80\xbf\x80\xbf",
];

/// Characters without their last byte: the first and the last of each length.
const TRUNCATED: [&[u8]; 10] = [
    b"\xc0",
    b"\xe0\x80",
    b"\xf0\x80\x80",
    b"\xf8\x80\x80\x80",
    b"\xfc\x80\x80\x80\x80",
    b"\xdf",
    b"\xef\xbf",
    b"\xf7\xbf\xbf",
    b"\xfb\xbf\xbf\xbf",
    b"\xfd\xbf\xbf\xbf\xbf",
];

pub fn all() -> Vec<Case> {
    let mut cases = [fragments(), invalid_fragments(), prefixes()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    for (section, valid, invalid) in LISTED {
        let valid = valid.iter().map(|text| (true, text.to_vec()));
        let invalid = invalid.iter().map(|text| (false, text.to_vec()));
        cases.extend(whole(*section, valid.chain(invalid)));
    }
    // The suite's ranges of bytes leave out the last byte.
    let continuations = CONTINUATIONS.iter().map(|text| text.to_vec());
    let continuations = continuations.chain([(0x80..0xbf).collect()]);
    cases.extend(whole(12, continuations.map(|text| (false, text))));
    let starts = [0xc0..0xdf, 0xe0..0xef, 0xf0..0xf7, 0xf8..0xfb, 0xfc..0xfd];
    let starts = starts.map(|range| range.flat_map(|byte| [byte, b' ']).collect());
    cases.extend(whole(13, starts.into_iter().map(|text| (false, text))));
    let truncated = TRUNCATED.iter().map(|text| (false, text.to_vec()));
    cases.extend(whole(14, truncated));
    cases.extend(whole(15, [(false, TRUNCATED.concat())]));
    cases.extend(whole(22, noncharacters().map(|text| (true, text))));
    cases
}

/// Makes the cases of a subsection whose texts are sent in one frame.
fn whole(section: u8, texts: impl IntoIterator<Item = (bool, Vec<u8>)>) -> Vec<Case> {
    let numbered = (1..).zip(texts);
    numbered
        .map(|(number, (is_valid, text))| {
            let id = format!("6.{section}.{number}");
            let steps = at_once(&[sent(TEXT, &text)]);
            if is_valid {
                echoed(id, steps, vec![reply(TEXT, text)])
            } else {
                failed(id, steps, vec![], 1007)
            }
        })
        .collect()
}

/// Returns frames of one byte each, of which the first begins a text and the last ends it.
fn frames_of_bytes(text: &[u8]) -> Vec<Vec<u8>> {
    let last = text.len() - 1;
    let frames = text.iter().enumerate().map(|(at, byte)| {
        let first = match at {
            0 => BEGIN,
            at if at == last => END,
            _ => CONTINUE,
        };
        sent(first, &[*byte])
    });
    frames.collect()
}

fn fragments() -> Vec<Case> {
    let in_three = |id, middle: &[u8]| {
        let frames = [sent(BEGIN, b""), sent(CONTINUE, middle), sent(END, b"")];
        echoed(id, at_once(&frames), vec![reply(TEXT, middle)])
    };
    let hello = "Hello-µ@ßöäüàá-UTF-8!!";
    let (start, end) = hello.split_at("Hello-µ@ßöä".len());
    let in_two = [sent(BEGIN, start.as_bytes()), sent(END, end.as_bytes())];
    let echoed = |id, frames: &[Vec<u8>], text: &[u8]| {
        let steps = at_once(frames);
        echoed(id, steps, vec![reply(TEXT, text)])
    };
    vec![
        echoed("6.1.1", &[sent(TEXT, b"")], b""),
        in_three("6.1.2", b""),
        in_three("6.1.3", b"middle frame payload"),
        echoed("6.2.1", &[sent(TEXT, hello.as_bytes())], hello.as_bytes()),
        echoed("6.2.2", &in_two, hello.as_bytes()),
        echoed(
            "6.2.3",
            &frames_of_bytes(hello.as_bytes()),
            hello.as_bytes(),
        ),
        echoed("6.2.4", &frames_of_bytes(GREEK), GREEK),
    ]
}

fn invalid_fragments() -> Vec<Case> {
    let surrogate = [GREEK, b"\xed\xa0\x80", b"edited"].concat();
    let too_large = [GREEK, b"\xf4\x90\x80\x80", b"edited"].concat();
    // The server fails the connection before the last fragment exists.
    let unfinished = |id, first: &[u8], second: &[u8]| {
        let frames = [sent(BEGIN, first), sent(CONTINUE, second)];
        failed(id, by_frame(&frames), vec![], 1007)
    };
    // Within one frame, tungstenite waits for its end. The suite calls that "non-strict".
    let chopped = |id, cuts: [usize; 2]| {
        let frame = sent(TEXT, &too_large);
        let head = frame.len() - too_large.len();
        let (rest, third) = frame.split_at(head + cuts[1]);
        let (first, second) = rest.split_at(head + cuts[0]);
        let steps = [first, second, third].map(|part| Step::Write(part.to_vec()));
        failed(id, steps.into(), vec![], 1007)
    };
    vec![
        failed("6.3.1", at_once(&[sent(TEXT, &surrogate)]), vec![], 1007),
        failed("6.3.2", at_once(&frames_of_bytes(&surrogate)), vec![], 1007),
        unfinished("6.4.1", GREEK, b"\xf4\x90\x80\x80"),
        unfinished("6.4.2", &too_large[..12], &too_large[12..13]),
        chopped("6.4.3", [GREEK.len(), GREEK.len() + 4]),
        chopped("6.4.4", [12, 13]),
    ]
}

fn prefixes() -> Vec<Case> {
    let lengths = 1..=GREEK.len();
    let prefixes = lengths.map(|length| {
        let is_valid = WHOLE_PREFIXES.contains(&length);
        (is_valid, GREEK[..length].to_vec())
    });
    whole(6, prefixes)
}

/// Returns the last two characters of each plane, which are valid and mean nothing.
fn noncharacters() -> impl Iterator<Item = Vec<u8>> {
    let planes = 0..=0x10_u32;
    let characters = planes.flat_map(|plane| [0xfffe, 0xffff].map(|last| plane << 16 | last));
    characters.map(|character| {
        let character = char::from_u32(character).unwrap();
        character.to_string().into_bytes()
    })
}
