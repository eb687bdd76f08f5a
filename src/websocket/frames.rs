//! Where the frames end in one direction of a WebSocket.

use tungstenite::protocol::frame::{self, Frame};

use crate::{CloseCode, WebSocketException};

/// Follows a stream of frames, of which it looks at the heads and skips the payloads
/// ([RFC 6455, section 5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.2)).
#[derive(Default)]
pub struct Frames {
    /// The first bytes of a frame whose head is not whole yet.
    head: [u8; LONGEST_HEAD],
    held: usize,
    /// What is still to come of the payload.
    payload: u64,
    /// A close frame has begun to pass: what it says.
    close: Option<Closing>,
}

/// What a close frame says: its code, if there is one that may be repeated.
type Closing = Option<CloseCode>;

/// Two bytes, eight of length, four of mask; and for a close frame its code, which is looked at like a head.
const LONGEST_HEAD: usize = 2 + 8 + 4 + CODE;
const CODE: usize = 2;
const CLOSE: u8 = 8;

impl Frames {
    /// Follows the stream by these bytes.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while let [first, rest @ ..] = bytes {
            if self.payload > 0 {
                let skipped = bytes
                    .len()
                    .min(usize::try_from(self.payload).unwrap_or(usize::MAX));
                self.payload -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head[self.held] = *first;
            self.held += 1;
            bytes = rest;
            if let Some(frame) = parse(&self.head[..self.held]) {
                self.held = 0;
                self.payload = frame.payload;
                self.close = self.close.or(frame.close);
            }
        }
    }

    /// Whether a frame may begin here: none is under way.
    pub fn between(&self) -> bool {
        self.held == 0 && self.payload == 0
    }

    /// What the close frame said, once it has passed whole.
    pub fn closed(&self) -> Option<Closing> {
        self.close.filter(|_| self.between())
    }
}

struct Parsed {
    payload: u64,
    close: Option<Closing>,
}

/// Parses a head that ends where `head` does; `None` while it does not end there yet.
fn parse(head: &[u8]) -> Option<Parsed> {
    let (opcode, length, masked) = match head {
        [first, second, ..] => (first & 0x0f, second & 0x7f, second & 0x80 != 0),
        _ => return None,
    };
    let rest = &head[2..];
    let (length, rest) = match length {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*length), rest)
        }
        length => (u64::from(length), rest),
    };
    let (mask, rest) = match masked {
        true => {
            let (mask, rest) = rest.split_first_chunk::<4>()?;
            ([mask[0], mask[1]], rest)
        }
        false => ([0; CODE], rest),
    };
    let frame = |payload, close| Some(Parsed { payload, close });
    if opcode != CLOSE {
        return frame(length, None);
    }
    if length < CODE as u64 {
        return frame(length, Some(None));
    }
    let (code, _) = rest.split_first_chunk::<CODE>()?;
    let code = u16::from_be_bytes([code[0] ^ mask[0], code[1] ^ mask[1]]);
    frame(length - CODE as u64, Some(CloseCode::new(code).ok()))
}

/// The close frame that says what `exception` does.
pub fn close_frame(exception: &WebSocketException) -> Vec<u8> {
    let frame = Frame::close(Some(frame::CloseFrame {
        code: exception.code().get().into(),
        reason: exception.wire_reason().into(),
    }));
    let mut bytes = Vec::with_capacity(frame.len());
    // A `Vec` takes whatever is written.
    let _ = frame.format(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tungstenite::protocol::frame::{
        CloseFrame, Frame, FrameHeader,
        coding::{Control, Data, OpCode},
    };

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let opcode = prop_oneof![
            Just(OpCode::Data(Data::Text)),
            Just(OpCode::Data(Data::Binary)),
            Just(OpCode::Data(Data::Continue)),
            Just(OpCode::Control(Control::Ping)),
            Just(OpCode::Control(Control::Pong)),
        ];
        let length = prop_oneof![0..10_usize, 120..130_usize, 65_530..65_540_usize];
        let header = (
            opcode,
            any::<bool>(),
            any::<bool>(),
            any::<Option<[u8; 4]>>(),
        );
        let frame = (header, length).prop_map(|((opcode, is_final, rsv1, mask), length)| {
            let header = FrameHeader {
                is_final,
                rsv1,
                opcode,
                mask,
                ..FrameHeader::default()
            };
            Frame::from_payload(header, vec![0x88; length].into())
        });
        prop::collection::vec(frame, 0..6)
    }

    fn encoded(frame: &Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.clone().format(&mut bytes).unwrap();
        bytes
    }

    proptest! {
        #[test]
        fn after_every_byte_it_knows_what_the_encoder_knows(frames in frames()) {
            let mut tracker = Frames::default();
            prop_assert!(tracker.between());
            for frame in &frames {
                let bytes = encoded(frame);
                let (last, first) = bytes.split_last().unwrap();
                for byte in first {
                    tracker.pass(&[*byte]);
                    prop_assert!(!tracker.between());
                }
                tracker.pass(&[*last]);
                prop_assert!(tracker.between());
                prop_assert_eq!(tracker.closed(), None);
            }
        }

        /// A peer need not send frames at all.
        #[test]
        fn whatever_comes_it_depends_on_no_split(
            bytes: Vec<u8>,
            // Frames with long heads and little else.
            heads in prop::collection::vec((any::<u8>(), 120..=255_u8, 0..3_u8), 0..9),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let heads = heads.iter().flat_map(|(first, second, length)| {
                [*first, *second, 0, 0, 0, 0, 0, 0, 0, *length, 1, 2, 3, 4, 3, 232]
            });
            let stream: Vec<u8> = heads.chain(bytes).collect();
            let mut whole = Frames::default();
            whole.pass(&stream);

            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.push(stream.len());
            cuts.sort_unstable();
            let mut tracker = Frames::default();
            let mut begin = 0;
            for end in cuts {
                tracker.pass(&stream[begin..end]);
                begin = end;
            }
            prop_assert_eq!(tracker.between(), whole.between());
            prop_assert_eq!(tracker.closed(), whole.closed());
        }

        #[test]
        fn however_the_stream_is_split(
            frames in frames(),
            mask: Option<[u8; 4]>,
            code: Option<u16>,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let closing = code.map(|code| CloseFrame { code: code.into(), reason: "because".into() });
            let mut close = Frame::close(closing);
            close.header_mut().mask = mask;
            let mut stream: Vec<u8> = frames.iter().flat_map(encoded).collect();
            let close_begins = stream.len();
            stream.extend(encoded(&close));

            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            cuts.extend([close_begins, stream.len()]);
            cuts.sort_unstable();
            let mut tracker = Frames::default();
            let mut begin = 0;
            for end in cuts {
                prop_assert_eq!(tracker.closed(), None);
                tracker.pass(&stream[begin..end]);
                begin = end;
                if end == stream.len() {
                    break;
                }
            }
            prop_assert!(tracker.between());
            let code = code.and_then(|code| CloseCode::new(code).ok());
            prop_assert_eq!(tracker.closed(), Some(code));
        }
    }
}
