//! The parts of a case: what the client writes, and how the server ends the connection.

use std::fmt;

use crate::support::websocket::{CLOSE, masked_close};

/// First bytes of frames.
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;
pub const BINARY: u8 = 0x82;

/// First bytes of a fragmented text, of a continuation, and of the last continuation.
pub const BEGIN: u8 = 0x01;
pub const CONTINUE: u8 = 0x00;
pub const END: u8 = 0x80;

/// One step of the client.
pub enum Step {
    /// Writes these bytes at once.
    Write(Vec<u8>),
    /// Writes its close frame, and bytes after it, at once.
    Close(Vec<u8>),
    /// Waits for one more frame of the server.
    Reply,
}

/// A frame of the server, without a mask.
#[derive(PartialEq, Eq)]
pub struct Frame {
    pub first: u8,
    pub payload: Vec<u8>,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, payload } = self;
        write!(f, "{first:#x}")?;
        match payload.len() {
            ..200 => write!(f, " \"{}\"", payload.escape_ascii()),
            length => write!(f, " of {length} bytes"),
        }
    }
}

/// The close frame of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The connection ends without one.
    None,
    /// A close frame without a code.
    Empty,
    /// A close frame with this code.
    Code(u16),
}

impl Close {
    pub fn of(payload: &[u8]) -> Self {
        match payload {
            [] => Self::Empty,
            [high, low, ..] => Self::Code(u16::from_be_bytes([*high, *low])),
            [_] => panic!("a close frame of one byte"),
        }
    }
}

/// A case of the suite.
pub struct Case {
    pub id: String,
    pub steps: Vec<Step>,
    /// Frames of the server before its close frame.
    pub replies: Vec<Frame>,
    /// The close frame under the layer.
    pub close: Close,
    /// The close frame of plain axum.
    pub bare: Close,
}

/// Makes a case after whose replies the client closes with 1000.
pub fn echoed(id: impl Into<String>, mut steps: Vec<Step>, replies: Vec<Frame>) -> Case {
    let awaited = steps.iter().filter(|step| matches!(step, Step::Reply));
    let missing = replies.len() - awaited.count();
    steps.extend((0..missing).map(|_| Step::Reply));
    steps.push(Step::Close(masked_close(1000)));
    closed(id, steps, replies, Close::Code(1000))
}

/// Makes a case in which the server fails the connection with this code. Plain axum sends none.
pub fn failed(id: impl Into<String>, steps: Vec<Step>, replies: Vec<Frame>, code: u16) -> Case {
    let bare = Close::None;
    let case = closed(id, steps, replies, Close::Code(code));
    Case { bare, ..case }
}

/// Makes a case with this close frame of the server, which is plain axum's too.
pub fn closed(id: impl Into<String>, steps: Vec<Step>, replies: Vec<Frame>, close: Close) -> Case {
    let id = id.into();
    let bare = close;
    Case {
        id,
        steps,
        replies,
        close,
        bare,
    }
}

/// Returns the step that writes these frames at once.
pub fn at_once(frames: &[Vec<u8>]) -> Vec<Step> {
    vec![Step::Write(frames.concat())]
}

/// Returns steps that write one frame each.
pub fn by_frame(frames: &[Vec<u8>]) -> Vec<Step> {
    frames.iter().cloned().map(Step::Write).collect()
}

/// Returns steps that write one byte each.
pub fn by_byte(frames: &[Vec<u8>]) -> Vec<Step> {
    let bytes = frames.iter().flatten();
    bytes.map(|byte| Step::Write(vec![*byte])).collect()
}

/// Returns an unmasked frame, as the server replies it.
pub fn reply(first: u8, payload: impl Into<Vec<u8>>) -> Frame {
    let payload = payload.into();
    Frame { first, payload }
}

/// Returns a masked frame of any length, as the client sends it.
pub fn sent(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x9a, 0x1c, 0x53, 0xf7];
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        length => match u16::try_from(length) {
            Ok(length) => {
                bytes.push(0x80 | 126);
                bytes.extend(length.to_be_bytes());
            }
            Err(_) => {
                bytes.push(0x80 | 127);
                bytes.extend(u64::try_from(length).unwrap().to_be_bytes());
            }
        },
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    bytes
}

/// Returns a masked close frame with this payload.
pub fn close(payload: &[u8]) -> Vec<u8> {
    sent(CLOSE, payload)
}
