//! The frame boundaries in one direction of a WebSocket, and the layer's close frame.

use tungstenite::protocol::frame::{self, Frame};

use crate::exception::WebSocketException;

/// Tracker of the frame boundaries in one direction of a WebSocket.
///
/// It parses the head of each frame, and passes heads and payloads to a [`FrameVisitor`]
/// ([RFC 6455, section 5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.2)).
#[derive(Default)]
pub(crate) struct FrameTracker {
    /// First bytes of a frame whose head is incomplete.
    head: [u8; MAX_HEAD_BYTES],
    /// Number of bytes in `head`.
    head_len: usize,
    /// Number of payload bytes that have not passed yet.
    payload_left: u64,
}

/// Observer of the frames that pass a [`FrameTracker`].
pub(crate) trait FrameVisitor {
    /// Visits the head of a frame.
    fn on_head(&mut self, head: &Head);

    /// Visits the next bytes of the payload.
    fn on_payload(&mut self, _bytes: &[u8]) {}

    /// Visits the end of a frame.
    fn on_end(&mut self) {}
}

/// Head of a frame.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) is_final: bool,
    /// The three reserved bits, of which [`RSV1`] is the first.
    pub(crate) reserved_bits: u8,
    pub(crate) opcode: u8,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) length: u64,
}

/// First of the reserved bits: the message is compressed, if permessage-deflate was negotiated.
pub(crate) const RSV1: u8 = 0x40;

/// Opcodes ([RFC 6455, section 5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.2)).
pub(crate) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0;
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const BINARY: u8 = 2;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PONG: u8 = 10;
}

/// Length of the longest head: 2 bytes, an extended length of 8, a masking key of 4.
const MAX_HEAD_BYTES: usize = 2 + 8 + 4;

impl FrameTracker {
    /// Advances by the next bytes of the stream.
    pub(crate) fn advance(&mut self, mut bytes: &[u8], visitor: &mut impl FrameVisitor) {
        while let [first, rest @ ..] = bytes {
            if self.payload_left > 0 {
                let length = bytes
                    .len()
                    .min(usize::try_from(self.payload_left).unwrap_or(usize::MAX));
                let (payload, rest) = bytes.split_at(length);
                visitor.on_payload(payload);
                self.payload_left -= length as u64;
                bytes = rest;
            } else {
                self.head[self.head_len] = *first;
                self.head_len += 1;
                bytes = rest;
                let Some(head) = parse_head(&self.head[..self.head_len]) else {
                    continue;
                };
                self.head_len = 0;
                self.payload_left = head.length;
                visitor.on_head(&head);
            }
            if self.payload_left == 0 {
                visitor.on_end();
            }
        }
    }

    /// Returns whether no frame has passed in part, so that a frame may begin here.
    pub(crate) fn at_boundary(&self) -> bool {
        self.head_len == 0 && self.payload_left == 0
    }
}

/// Parses a head that ends at the end of `bytes`. Returns `None` if the head is incomplete.
fn parse_head(bytes: &[u8]) -> Option<Head> {
    let [first, second, rest @ ..] = bytes else {
        return None;
    };
    let (length, rest) = match second & 0x7f {
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
    let mask = match second & 0x80 != 0 {
        true => Some(*rest.first_chunk()?),
        false => None,
    };
    Some(Head {
        is_final: first & 0x80 != 0,
        reserved_bits: first & 0x70,
        opcode: first & 0x0f,
        mask,
        length,
    })
}

/// The frames that the server sends.
#[derive(Default)]
pub(crate) struct SentFrames {
    tracker: FrameTracker,
    close: CloseSeen,
}

/// Whether the head of a close frame has passed.
#[derive(Default)]
struct CloseSeen(bool);

impl FrameVisitor for CloseSeen {
    fn on_head(&mut self, head: &Head) {
        self.0 |= head.opcode == opcode::CLOSE;
    }
}

impl SentFrames {
    pub(crate) fn advance(&mut self, bytes: &[u8]) {
        self.tracker.advance(bytes, &mut self.close);
    }

    /// Returns whether no frame has been sent in part.
    pub(crate) fn at_boundary(&self) -> bool {
        self.tracker.at_boundary()
    }

    /// Returns whether a close frame has been sent, the whole of it.
    pub(crate) fn has_close(&self) -> bool {
        self.close.0 && self.at_boundary()
    }
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
        FrameHeader,
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
            let mut sent = SentFrames::default();
            prop_assert!(sent.at_boundary());
            for frame in &frames {
                let bytes = encoded(frame);
                let (last, first) = bytes.split_last().unwrap();
                for byte in first {
                    sent.advance(&[*byte]);
                    prop_assert!(!sent.at_boundary());
                }
                sent.advance(&[*last]);
                prop_assert!(sent.at_boundary());
                prop_assert!(!sent.has_close());
            }
            let close = encoded(&Frame::close(None));
            sent.advance(&close[..1]);
            prop_assert!(!sent.has_close());
            sent.advance(&close[1..]);
            prop_assert!(sent.has_close());
        }
    }
}
