//! WebSocket frames as tungstenite reads them.

use std::io::{self, Cursor};

use tungstenite::{
    Error, Message,
    error::ProtocolError,
    protocol::{
        Role, WebSocketContext,
        frame::{FrameHeader, coding::CloseCode},
    },
};

/// Opcode of a close frame.
const CLOSE: u8 = 8;

/// Longest frame of a peer that is completed to read it, in bytes.
const MAX_COMPLETED_BYTES: usize = 0x1_0000;

/// The frames in one direction, as far as they have been sent.
pub struct Frames {
    /// The end of the last whole frame.
    pub boundary: usize,
    /// Number of bytes that the frame after it lacks. `None` if there is no such frame, or if its
    /// head is incomplete.
    missing: Option<u64>,
    is_at_boundary: bool,
    pub has_close: bool,
}

impl Frames {
    pub fn of(bytes: &[u8]) -> Self {
        let mut frames = Self {
            boundary: 0,
            missing: None,
            is_at_boundary: true,
            has_close: false,
        };
        while frames.boundary < bytes.len() {
            let mut rest = bytes[frames.boundary..].to_vec();
            let opcode = rest[0] & 0x0f;
            // An extension may define any opcode. tungstenite refuses those.
            if !matches!(opcode, 0..=2 | CLOSE..=10) {
                rest[0] = 0x82;
            }
            let mut cursor = Cursor::new(&rest);
            let head = FrameHeader::parse(&mut cursor).expect("the opcode is known");
            let left = rest.len() as u64 - cursor.position();
            match head {
                Some((_, length)) if length <= left => {
                    frames.has_close |= opcode == CLOSE;
                    frames.boundary += (cursor.position() + length) as usize;
                }
                incomplete => {
                    frames.is_at_boundary = false;
                    frames.missing = incomplete.map(|(_, length)| length - left);
                    break;
                }
            }
        }
        frames
    }

    /// Returns whether a close frame may follow.
    pub fn may_close(&self) -> bool {
        self.is_at_boundary && !self.has_close
    }

    pub fn is_at_boundary(&self) -> bool {
        self.is_at_boundary
    }
}

/// The consequence of a peer's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Valid,
    /// The peer has closed, with a code or without one.
    Closed(Option<u16>),
    /// The code to fail the connection with.
    Fault(u16),
}

/// Returns the verdicts that are right of a peer that has sent `bytes`.
///
/// A frame that is incomplete may be judged already, or not yet.
pub fn verdicts(bytes: &[u8]) -> Vec<Verdict> {
    let frames = Frames::of(bytes);
    let mut verdicts = judge(&bytes[..frames.boundary]);
    match frames.missing {
        Some(missing) if missing <= MAX_COMPLETED_BYTES as u64 => {
            let mut completed = bytes.to_vec();
            completed.resize(bytes.len() + missing as usize, 0);
            let later = judge(&completed);
            // An incomplete close frame is none.
            verdicts.extend(
                later
                    .into_iter()
                    .filter(|it| matches!(it, Verdict::Fault(_))),
            );
        }
        Some(_) => verdicts.extend([Verdict::Fault(1002), Verdict::Fault(1007)]),
        None => {}
    }
    verdicts
}

/// Returns the verdict on whole frames, or two if either is right.
fn judge(bytes: &[u8]) -> Vec<Verdict> {
    let mut library = WebSocketContext::new(Role::Server, None);
    let mut stream = Stream(Cursor::new(bytes));
    loop {
        let verdict = match library.read(&mut stream) {
            Ok(Message::Close(Some(close))) => {
                let code = close.code.into();
                if close.code == CloseCode::Protocol && close.reason == "Protocol violation" {
                    // IANA has registered 1014 after tungstenite was written.
                    return vec![Verdict::Fault(code), Verdict::Closed(Some(1014))];
                }
                Verdict::Closed(Some(code))
            }
            Ok(Message::Close(None)) => Verdict::Closed(None),
            Ok(_) => continue,
            // A close frame may have two faults: its code and its reason.
            Err(Error::Utf8(_)) if Frames::of(stream.passed()).has_close => {
                return vec![Verdict::Fault(1007), Verdict::Fault(1002)];
            }
            Err(Error::Utf8(_)) => Verdict::Fault(1007),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Verdict::Valid,
            Err(Error::Protocol(_)) => Verdict::Fault(1002),
            Err(other) => panic!("{other}"),
        };
        return vec![verdict];
    }
}

/// Stream of a peer that sends these bytes, each by itself, and reads nothing.
struct Stream<'a>(Cursor<&'a [u8]>);

impl Stream<'_> {
    /// Returns the bytes that have been read: no more than the frames that have been judged.
    fn passed(&self) -> &[u8] {
        &self.0.get_ref()[..self.0.position() as usize]
    }
}

impl io::Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

impl io::Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns a frame. Without a mask it is the server's.
///
/// `width` is the number of bytes of the length: 1, 3 or 9. A longer payload has more.
pub fn encode(first: u8, mask: Option<[u8; 4]>, width: usize, payload: &[u8]) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match (width, u16::try_from(payload.len())) {
        (1, Ok(length @ ..126)) => frame.push(masked | length as u8),
        (1 | 3, Ok(length)) => {
            frame.push(masked | 126);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(masked | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(mask.into_iter().flatten());
    let mask = mask.unwrap_or_default();
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

/// Returns a close frame of the server.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let payload = [&code.to_be_bytes(), &reason.as_bytes()[..end]].concat();
    encode(0x80 | CLOSE, None, 1, &payload)
}
