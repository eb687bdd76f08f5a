//! The frame boundaries in one direction of a WebSocket, and the layer's close frame.

use tungstenite::protocol::frame::{self, Frame};

use crate::exception::{CloseCode, WebSocketException};

/// Tracker of the frame boundaries in one direction of a WebSocket.
///
/// It parses the head of each frame and skips the payload
/// ([RFC 6455, section 5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.2)).
#[derive(Default)]
pub(crate) struct FrameTracker {
    /// First bytes of a frame whose head is incomplete.
    head: [u8; MAX_HEAD_BYTES],
    /// Number of bytes in `head`.
    head_len: usize,
    /// Number of payload bytes that have not passed yet.
    payload_left: u64,
    /// Content of the first close frame, as soon as its head has passed.
    close: Option<CloseContent>,
}

/// Code of a close frame, if the frame has a code that may be repeated.
type CloseContent = Option<CloseCode>;

/// Length of the longest head: 2 bytes, an extended length of 8, a masking key of 4. The code of a
/// close frame belongs to the payload, but is parsed with the head.
const MAX_HEAD_BYTES: usize = 2 + 8 + 4 + CLOSE_CODE_BYTES;

/// Length of the code in a close frame
/// ([RFC 6455, section 5.5.1](https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1)).
const CLOSE_CODE_BYTES: usize = 2;

/// Opcode of a close frame
/// ([RFC 6455, section 5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.2)).
const CLOSE_OPCODE: u8 = 8;

impl FrameTracker {
    /// Advances by the next bytes of the stream.
    pub(crate) fn advance(&mut self, mut bytes: &[u8]) {
        while let [first, rest @ ..] = bytes {
            if self.payload_left > 0 {
                let skipped = bytes
                    .len()
                    .min(usize::try_from(self.payload_left).unwrap_or(usize::MAX));
                self.payload_left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head[self.head_len] = *first;
            self.head_len += 1;
            bytes = rest;
            if let Some(head) = parse_head(&self.head[..self.head_len]) {
                self.head_len = 0;
                self.payload_left = head.payload_left;
                self.close = self.close.or(head.close);
            }
        }
    }

    /// Returns whether no frame has passed in part, so that a frame may begin here.
    pub(crate) fn at_boundary(&self) -> bool {
        self.head_len == 0 && self.payload_left == 0
    }

    /// Returns the content of the first close frame, once the whole frame has passed.
    pub(crate) fn close_content(&self) -> Option<CloseContent> {
        self.close.filter(|_| self.at_boundary())
    }
}

/// Head of a frame, with the code of a close frame.
struct Head {
    /// Number of payload bytes after those that were parsed.
    payload_left: u64,
    close: Option<CloseContent>,
}

/// Parses a head that ends at the end of `bytes`. Returns `None` if the head is incomplete.
fn parse_head(bytes: &[u8]) -> Option<Head> {
    let (opcode, length, is_masked) = match bytes {
        [first, second, ..] => (first & 0x0f, second & 0x7f, second & 0x80 != 0),
        _ => return None,
    };
    let rest = &bytes[2..];
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
    let (mask, rest) = match is_masked {
        true => {
            let (mask, rest) = rest.split_first_chunk::<4>()?;
            ([mask[0], mask[1]], rest)
        }
        false => ([0; CLOSE_CODE_BYTES], rest),
    };
    let head = |payload_left, close| {
        Some(Head {
            payload_left,
            close,
        })
    };
    if opcode != CLOSE_OPCODE {
        return head(length, None);
    }
    if length < CLOSE_CODE_BYTES as u64 {
        return head(length, Some(None));
    }
    let (code, _) = rest.split_first_chunk::<CLOSE_CODE_BYTES>()?;
    let code = u16::from_be_bytes([code[0] ^ mask[0], code[1] ^ mask[1]]);
    let code = CloseCode::from_u16(code).ok();
    head(length - CLOSE_CODE_BYTES as u64, Some(code))
}

/// Encodes the close frame with the code and the reason of `exception`.
pub(crate) fn close_frame(exception: &WebSocketException) -> Vec<u8> {
    let frame = Frame::close(Some(frame::CloseFrame {
        code: exception.code().as_u16().into(),
        reason: exception.wire_reason().into(),
    }));
    let mut bytes = Vec::with_capacity(frame.len());
    // Writing to a `Vec` cannot fail.
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
        fn boundaries_are_those_of_the_encoder_after_every_byte(frames in frames()) {
            let mut tracker = FrameTracker::default();
            prop_assert!(tracker.at_boundary());
            for frame in &frames {
                let bytes = encoded(frame);
                let (last, first) = bytes.split_last().unwrap();
                for byte in first {
                    tracker.advance(&[*byte]);
                    prop_assert!(!tracker.at_boundary());
                }
                tracker.advance(&[*last]);
                prop_assert!(tracker.at_boundary());
                prop_assert_eq!(tracker.close_content(), None);
            }
        }

        /// A peer may send bytes that are no frames.
        #[test]
        fn splits_of_arbitrary_bytes_make_no_difference(
            bytes: Vec<u8>,
            // Frames with a long head and a short payload.
            heads in prop::collection::vec((any::<u8>(), 120..=255_u8, 0..3_u8), 0..9),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let heads = heads.iter().flat_map(|(first, second, length)| {
                [*first, *second, 0, 0, 0, 0, 0, 0, 0, *length, 1, 2, 3, 4, 3, 232]
            });
            let stream: Vec<u8> = heads.chain(bytes).collect();
            let mut whole = FrameTracker::default();
            whole.advance(&stream);

            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.push(stream.len());
            cuts.sort_unstable();
            let mut tracker = FrameTracker::default();
            let mut begin = 0;
            for end in cuts {
                tracker.advance(&stream[begin..end]);
                begin = end;
            }
            prop_assert_eq!(tracker.at_boundary(), whole.at_boundary());
            prop_assert_eq!(tracker.close_content(), whole.close_content());
        }

        #[test]
        fn splits_of_frames_make_no_difference(
            frames in frames(),
            mask: Option<[u8; 4]>,
            code: Option<u16>,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let content = code.map(|code| CloseFrame {
                code: code.into(),
                reason: "because".into(),
            });
            let mut close = Frame::close(content);
            close.header_mut().mask = mask;
            let mut stream: Vec<u8> = frames.iter().flat_map(encoded).collect();
            let close_begins = stream.len();
            stream.extend(encoded(&close));

            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            cuts.extend([close_begins, stream.len()]);
            cuts.sort_unstable();
            let mut tracker = FrameTracker::default();
            let mut begin = 0;
            for end in cuts {
                prop_assert_eq!(tracker.close_content(), None);
                tracker.advance(&stream[begin..end]);
                begin = end;
                if end == stream.len() {
                    break;
                }
            }
            prop_assert!(tracker.at_boundary());
            let code = code.and_then(|code| CloseCode::from_u16(code).ok());
            prop_assert_eq!(tracker.close_content(), Some(code));
        }
    }
}
