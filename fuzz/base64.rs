//! Base64 of concatenated texts, each of which may be padded.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Takes a quantum with padding or without it, and with any bits after its last byte.
const QUANTUM: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub fn encode(data: &[u8]) -> Vec<u8> {
    QUANTUM.encode(data).into_bytes()
}

/// Returns the data of a text, of which the last quantum may lack its padding or a part of it.
/// Returns `None` if the text is not Base64, or cannot be completed by padding.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    let mut quanta = text.chunks(4).peekable();
    while let Some(quantum) = quanta.next() {
        let is_last = quanta.peek().is_none();
        let digits = match quantum {
            [digits @ .., b'=', b'='] | [digits @ .., b'='] | digits => digits,
        };
        if digits.len() < 2 || !is_last && quantum.len() < 4 {
            return None;
        }
        data.extend(QUANTUM.decode(digits).ok()?);
    }
    Some(data)
}
