//! The frames that the peer sends: its close frame, and the faults in them.

use http::{HeaderMap, header::SEC_WEBSOCKET_EXTENSIONS};

use super::{
    frame::{FrameTracker, FrameVisitor, Head, RSV1, opcode},
    utf8::{NotUtf8, Utf8Validator},
};
use crate::{exception::CloseCode, headers::elements};

/// Extensions that a handshake has negotiated, by what they allow in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Extensions {
    #[default]
    None,
    /// The first frame of a compressed message has RSV1
    /// ([RFC 7692, section 6](https://www.rfc-editor.org/rfc/rfc7692#section-6)).
    PermessageDeflate,
    /// Some other extension, which may use every reserved bit and opcode, and may transform texts.
    Other,
}

impl Extensions {
    /// Returns the extensions that the response to a handshake accepts.
    pub(crate) fn accepted_by(response_headers: &HeaderMap) -> Self {
        let mut accepted = Self::None;
        for extension in elements(response_headers, &SEC_WEBSOCKET_EXTENSIONS) {
            let name = extension.split(|byte| *byte == b';').next();
            match name.unwrap_or_default().trim_ascii() {
                b"" => {}
                b"permessage-deflate" if accepted != Self::Other => {
                    accepted = Self::PermessageDeflate;
                }
                _ => accepted = Self::Other,
            }
        }
        accepted
    }

    fn allow_reserved_bits(self, head: &Head) -> bool {
        match self {
            _ if head.reserved_bits == 0 => true,
            Self::None => false,
            Self::PermessageDeflate => {
                head.reserved_bits == RSV1 && matches!(head.opcode, opcode::TEXT | opcode::BINARY)
            }
            Self::Other => true,
        }
    }

    fn allow_opcode(self, opcode: u8) -> bool {
        self == Self::Other
            || matches!(
                opcode,
                opcode::CONTINUATION..=opcode::BINARY | opcode::CLOSE..=opcode::PONG
            )
    }

    /// Returns whether the payload of a text message is the text itself.
    fn leave_text(self, head: &Head) -> bool {
        self != Self::Other && head.reserved_bits == 0
    }
}

/// The frames that the peer, a client, sends.
pub(crate) struct PeerFrames {
    tracker: FrameTracker,
    state: State,
}

struct State {
    extensions: Extensions,
    /// Code for the first fault: 1002, or 1007 for a text that is not UTF-8.
    fault: Option<CloseCode>,
    /// Fragmented message that has not ended. `None` between messages.
    message: Option<Message>,
    /// Use of the payload that passes.
    payload: Payload,
    mask: [u8; 4],
    /// Number of payload bytes that have passed.
    position: usize,
    text: Utf8Validator,
    close: Close,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Message {
    Text,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Payload {
    Skipped,
    /// Belongs to a text, which ends with the frame or does not.
    Text {
        is_final: bool,
    },
    Close,
}

/// Close frame of the peer.
enum Close {
    NotBegun,
    /// The frame has begun, and this is its payload so far.
    Begun(Vec<u8>),
    /// The frame has passed, with a code that may be repeated or without one.
    Passed(Option<CloseCode>),
}

/// Longest payload of a control frame
/// ([RFC 6455, section 5.5](https://www.rfc-editor.org/rfc/rfc6455#section-5.5)).
const MAX_CONTROL_BYTES: u64 = 125;

/// Longest payload of any frame: the most significant bit of the length is 0
/// ([RFC 6455, section 5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.2)).
const MAX_PAYLOAD_BYTES: u64 = u64::MAX >> 1;

/// Size of the buffer for bytes without their mask: it fits a cache, holds any message of a chat,
/// and is a multiple of the mask's.
const UNMASKED_BYTES: usize = 256;

impl PeerFrames {
    pub(crate) fn new(extensions: Extensions) -> Self {
        let state = State {
            extensions,
            fault: None,
            message: None,
            payload: Payload::Skipped,
            mask: [0; 4],
            position: 0,
            text: Utf8Validator::default(),
            close: Close::NotBegun,
        };
        Self {
            tracker: FrameTracker::default(),
            state,
        }
    }

    pub(crate) fn advance(&mut self, bytes: &[u8]) {
        self.tracker.advance(bytes, &mut self.state);
    }

    /// Returns whether a close frame has arrived, the whole of it.
    pub(crate) fn has_close(&self) -> bool {
        matches!(self.state.close, Close::Passed(_))
    }

    /// Returns the code of the close frame, if it has one that may be repeated.
    pub(crate) fn close_code(&self) -> Option<CloseCode> {
        match self.state.close {
            Close::Passed(code) => code,
            Close::NotBegun | Close::Begun(_) => None,
        }
    }

    /// Returns the code to fail the connection with, if a frame was not valid
    /// ([RFC 6455, section 7.1.7](https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7)).
    pub(crate) fn fault(&self) -> Option<CloseCode> {
        self.state.fault
    }
}

impl State {
    /// Returns whether a head breaks the protocol.
    fn is_invalid(&self, head: &Head) -> bool {
        let is_out_of_place = match head.opcode {
            opcode::CONTINUATION => self.message.is_none(),
            opcode::TEXT | opcode::BINARY => self.message.is_some(),
            opcode::CLOSE.. => !head.is_final || head.length > MAX_CONTROL_BYTES,
            _ => false,
        };
        is_out_of_place
            || head.mask.is_none()
            || head.length > MAX_PAYLOAD_BYTES
            || !self.extensions.allow_reserved_bits(head)
            || !self.extensions.allow_opcode(head.opcode)
    }

    fn fail(&mut self, code: CloseCode) {
        self.fault.get_or_insert(code);
    }

    fn expect_utf8(&mut self, result: Result<(), NotUtf8>) {
        if result.is_err() {
            self.fail(CloseCode::INVALID_PAYLOAD);
        }
    }

    /// Calls `visit` with the bytes of the payload, without their mask and in pieces.
    fn unmask(&mut self, bytes: &[u8], mut visit: impl FnMut(&mut Self, &[u8])) {
        let mut unmasked = [0; UNMASKED_BYTES];
        for masked in bytes.chunks(UNMASKED_BYTES) {
            let mut mask = self.mask;
            mask.rotate_left(self.position % 4);
            self.position += masked.len();
            unmasked[..masked.len()].copy_from_slice(masked);
            xor(&mut unmasked, masked.len(), u32::from_ne_bytes(mask));
            visit(self, &unmasked[..masked.len()]);
        }
    }

    /// Reads the payload of a close frame
    /// ([RFC 6455, section 5.5.1](https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1)).
    fn read_close(&mut self, payload: &[u8]) -> Option<CloseCode> {
        let (code, reason) = match payload.split_first_chunk() {
            Some((code, reason)) => (u16::from_be_bytes(*code), reason),
            None if payload.is_empty() => return None,
            None => {
                self.fail(CloseCode::PROTOCOL_ERROR);
                return None;
            }
        };
        let code = CloseCode::from_u16(code).ok();
        if code.is_none() {
            self.fail(CloseCode::PROTOCOL_ERROR);
        } else if std::str::from_utf8(reason).is_err() {
            self.fail(CloseCode::INVALID_PAYLOAD);
        }
        code
    }
}

/// Applies a mask to the first `length` bytes, by whole words: a loop that the compiler vectorizes.
fn xor(bytes: &mut [u8; UNMASKED_BYTES], length: usize, mask: u32) {
    for word in bytes[..length.next_multiple_of(4)].chunks_exact_mut(4) {
        let unmasked = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]) ^ mask;
        word.copy_from_slice(&unmasked.to_ne_bytes());
    }
}

impl FrameVisitor for State {
    fn on_head(&mut self, head: &Head) {
        self.payload = Payload::Skipped;
        // Frames after a close frame or an invalid one have no meaning.
        if !matches!(self.close, Close::NotBegun) {
            return;
        }
        if self.fault.is_none() && self.is_invalid(head) {
            self.fail(CloseCode::PROTOCOL_ERROR);
        }
        self.mask = head.mask.unwrap_or_default();
        self.position = 0;
        let message = match head.opcode {
            opcode::CLOSE => {
                self.close = Close::Begun(Vec::new());
                self.payload = Payload::Close;
                return;
            }
            opcode::CONTINUATION => self.message,
            opcode::TEXT if self.extensions.leave_text(head) => Some(Message::Text),
            opcode::TEXT | opcode::BINARY => Some(Message::Other),
            _ => return,
        };
        let is_final = head.is_final;
        if message == Some(Message::Text) && self.fault.is_none() {
            self.payload = Payload::Text { is_final };
        }
        self.message = message.filter(|_| !is_final);
    }

    fn on_payload(&mut self, bytes: &[u8]) {
        match self.payload {
            Payload::Skipped => {}
            Payload::Text { .. } => self.unmask(bytes, |this, bytes| {
                let result = this.text.advance(bytes);
                this.expect_utf8(result);
            }),
            Payload::Close => self.unmask(bytes, |this, bytes| {
                if let Close::Begun(payload) = &mut this.close {
                    let room = (MAX_CONTROL_BYTES as usize).saturating_sub(payload.len());
                    payload.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
            }),
        }
    }

    fn on_end(&mut self) {
        match self.payload {
            Payload::Text { is_final: true } => {
                let result = self.text.finish();
                self.expect_utf8(result);
            }
            Payload::Close => {
                let close = std::mem::replace(&mut self.close, Close::Passed(None));
                if let Close::Begun(payload) = close {
                    self.close = Close::Passed(self.read_close(&payload));
                }
            }
            Payload::Skipped | Payload::Text { is_final: false } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{self, Cursor};
    use tungstenite::{
        Error, Message as LibraryMessage,
        error::ProtocolError,
        protocol::{Role, WebSocketContext},
    };

    /// Stream of a peer that sends these bytes and reads nothing.
    struct Stream(Cursor<Vec<u8>>);

    impl io::Read for Stream {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl io::Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the code that tungstenite's first error calls for.
    fn fault_by_library(bytes: Vec<u8>) -> Option<u16> {
        let mut library = WebSocketContext::new(Role::Server, None);
        let mut stream = Stream(Cursor::new(bytes));
        loop {
            return match library.read(&mut stream) {
                Ok(LibraryMessage::Close(Some(close))) if close.reason == "Protocol violation" => {
                    Some(1002)
                }
                Ok(LibraryMessage::Close(_)) => None,
                Ok(_) => continue,
                Err(Error::Utf8(_)) => Some(1007),
                Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => None,
                Err(Error::Protocol(_)) => Some(1002),
                Err(other) => panic!("{other}"),
            };
        }
    }

    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let first = prop_oneof![
            8 => prop::sample::select(vec![0x01_u8, 0x00, 0x80, 0x81, 0x82, 0x02, 0x89, 0x8a]),
            1 => Just(0x88),
            1 => any::<u8>(),
        ];
        let text = prop_oneof![
            4 => "[a-zä€😀]{0,4}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..4),
            1 => prop::sample::select(vec![&b"\xe2\x82"[..], b"\xac", b"\xf0\x9f", b"\x98\x80"])
                .prop_map(<[u8]>::to_vec),
            1 => (124..128_usize).prop_map(|length| vec![b'x'; length]),
        ];
        let code = prop::sample::select(vec![1000_u16, 1001, 3000, 4999, 999, 1005, 2999]);
        let mask = prop::option::weighted(0.95, any::<[u8; 4]>());
        (first, text, code, mask).prop_map(|(first, mut payload, code, mask)| {
            if first & 0x0f == opcode::CLOSE && payload.len() != 1 {
                // One fault at most: which one of two comes first is not defined.
                if CloseCode::from_u16(code).is_err() {
                    payload.clear();
                }
                payload.splice(0..0, code.to_be_bytes());
            }
            let mut frame = vec![first];
            let masked = if mask.is_some() { 0x80 } else { 0 };
            match u8::try_from(payload.len()) {
                Ok(length @ ..126) => frame.push(masked | length),
                _ => {
                    frame.push(masked | 126);
                    let length = u16::try_from(payload.len()).unwrap();
                    frame.extend(length.to_be_bytes());
                }
            }
            frame.extend(mask.into_iter().flatten());
            let mask = mask.unwrap_or_default();
            frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
            frame
        })
    }

    fn advanced<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> PeerFrames {
        let mut frames = PeerFrames::new(Extensions::None);
        pieces.into_iter().for_each(|piece| frames.advance(piece));
        frames
    }

    proptest! {
        #[test]
        fn faults_are_those_of_tungstenite(frames in prop::collection::vec(frame(), 0..6)) {
            let bytes = frames.concat();
            let fault = advanced([&bytes[..]]).fault().map(CloseCode::as_u16);
            prop_assert_eq!(fault, fault_by_library(bytes));
        }

        /// A peer may send bytes that are no frames.
        #[test]
        fn splits_make_no_difference(
            frames in prop::collection::vec(frame(), 0..6),
            garbage: Vec<u8>,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let bytes = [frames.concat(), garbage].concat();
            let whole = advanced([&bytes[..]]);
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            for pieces in [
                advanced(cuts.windows(2).map(|range| &bytes[range[0]..range[1]])),
                advanced(bytes.chunks(1)),
            ] {
                prop_assert_eq!(pieces.has_close(), whole.has_close());
                prop_assert_eq!(pieces.close_code(), whole.close_code());
                prop_assert_eq!(pieces.fault(), whole.fault());
                prop_assert_eq!(
                    pieces.tracker.at_boundary(),
                    whole.tracker.at_boundary()
                );
            }
        }
    }
}
