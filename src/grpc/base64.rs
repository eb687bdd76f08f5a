//! Base64 of [RFC 4648, section 4](https://www.rfc-editor.org/rfc/rfc4648#section-4).
//!
//! The [`base64`](https://docs.rs/base64) crate decodes whole texts. The body of a gRPC-Web text
//! response comes in pieces, padded wherever the sender ended one, and its decoded length has to be
//! known after each piece. The encoder alone does not justify a dependency.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns the length of the padded text of `len` bytes.
pub(crate) fn encoded_len(len: usize) -> usize {
    len.div_ceil(3) * 4
}

/// Returns the padded text of `data`.
pub(crate) fn encode(data: &[u8]) -> String {
    let mut text = String::with_capacity(encoded_len(data.len()));
    for group in data.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 0x3f];
            text.push(if at <= group.len() {
                digit as char
            } else {
                '='
            });
        }
    }
    text
}

/// Decoder that takes one digit at a time. Padding may end any of several concatenated texts.
#[derive(Clone, Copy, Default)]
pub(crate) struct Decoder {
    /// Number of digits of the current quantum of four: 0 to 3.
    digits: u8,
    bits: u32,
    /// A character that is not Base64 has been seen.
    broken: bool,
}

impl Decoder {
    /// Takes a digit, and returns the byte that the digit completes, if any.
    pub(crate) fn push(&mut self, digit: u8) -> Option<u8> {
        let value = match digit {
            b'A'..=b'Z' => Some(digit - b'A'),
            b'a'..=b'z' => Some(digit - b'a' + 26),
            b'0'..=b'9' => Some(digit - b'0' + 52),
            b'+' => Some(62),
            b'/' => Some(63),
            b'=' => None,
            _ => {
                self.broken = true;
                return None;
            }
        };
        let at = self.digits;
        self.digits = (at + 1) % 4;
        self.bits = self.bits << 6 | u32::from(value?);
        match at {
            0 => None,
            1 => Some((self.bits >> 4) as u8),
            2 => Some((self.bits >> 2) as u8),
            _ => Some(self.bits as u8),
        }
    }

    /// Returns the padding that completes the quantum, so that another text may follow.
    ///
    /// Returns `None` if no padding can complete the quantum.
    pub(crate) fn padding(&self) -> Option<&'static str> {
        match self.digits {
            _ if self.broken => None,
            0 => Some(""),
            2 => Some("=="),
            3 => Some("="),
            _ => None,
        }
    }
}

/// Returns the data of a text, padded or not. What is not Base64 is skipped.
#[cfg(any(feature = "tonic", test))]
pub(crate) fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::default();
    text.iter()
        .filter_map(|digit| decoder.push(*digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 4648, section 10.
    #[test]
    fn encodes_the_test_vectors_of_the_rfc() {
        for (data, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(data.as_bytes()), text);
        }
    }

    #[test]
    fn no_padding_completes_a_single_digit() {
        for (text, padding) in [
            ("AA", Some("==")),
            ("AAA", Some("=")),
            ("A", None),
            ("AA*A", None),
        ] {
            let mut decoder = Decoder::default();
            for digit in text.bytes() {
                decoder.push(digit);
            }
            assert_eq!(decoder.padding(), padding, "{text}");
        }
    }

    proptest! {
        #[test]
        fn concatenated_texts_decode_to_their_data(first: Vec<u8>, second: Vec<u8>) {
            let text = encode(&first) + &encode(&second);
            prop_assert_eq!(decode(text.as_bytes()), [first, second].concat());
        }
    }
}
