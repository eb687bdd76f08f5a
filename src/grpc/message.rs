//! Percent-encoding, decoding and truncation of `grpc-message`.

use bytes::Bytes;
use http::HeaderValue;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Suffix of a truncated message.
const ELLIPSIS: &str = "...";

/// Returns `text` in the encoding of [gRPC over HTTP/2].
///
/// The encoding is UTF-8 in which space and visible ASCII except `%` stay as they are. A space at
/// either end is encoded too, because HTTP drops it there (RFC 9110, section 5.5).
///
/// [gRPC over HTTP/2]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
pub(crate) fn encode(text: &str) -> HeaderValue {
    let last = text.len().saturating_sub(1);
    let mut encoded = Vec::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        let stays = match byte {
            b' ' => at != 0 && at != last,
            b'%' => false,
            _ => byte.is_ascii_graphic(),
        };
        if stays {
            encoded.push(byte);
        } else {
            let digit = |nibble: u8| HEX[usize::from(nibble & 0xf)];
            encoded.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte)]);
        }
    }
    // The encoded text contains no byte that is invalid in a header value.
    HeaderValue::from_maybe_shared(Bytes::from(encoded))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Returns the text that a value of `grpc-message` encodes.
///
/// A `%` that no two hexadecimal digits follow stays, and bytes that are not UTF-8 are replaced: a
/// client must not lose a message because it is malformed ([gRPC over HTTP/2]).
///
/// [gRPC over HTTP/2]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
pub(crate) fn decode(value: &HeaderValue) -> String {
    let mut rest = value.as_bytes();
    let mut text = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            text.push(high << 4 | low);
            rest = &rest[3..];
        } else {
            text.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Returns the maximum length of `text` after encoding, in bytes.
///
/// Other implementations encode more than they must, so every byte except letters and digits counts
/// as encoded.
pub(crate) fn max_encoded_len(text: &str) -> usize {
    let cost = |byte: u8| if byte.is_ascii_alphanumeric() { 1 } else { 3 };
    text.bytes().map(cost).sum()
}

/// Truncates `text` at a character boundary if it might take more than `max_len` bytes encoded.
pub(crate) fn truncate(text: &mut String, max_len: usize) {
    if max_encoded_len(text) <= max_len {
        return;
    }
    let mut left = max_len.saturating_sub(max_encoded_len(ELLIPSIS));
    let mut end = 0;
    for char in text.chars() {
        let char = char.len_utf8();
        match left.checked_sub(max_encoded_len(&text[end..end + char])) {
            Some(rest) => left = rest,
            None => break,
        }
        end += char;
    }
    text.truncate(end);
    text.push_str(ELLIPSIS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use proptest::prelude::*;
    use tonic::{Code, Status};

    #[test]
    fn encodes_all_except_visible_ascii_and_inner_spaces() {
        for (text, encoded) in [
            ("", ""),
            ("Item not found", "Item not found"),
            ("~`\"#<>?{}$&!", "~`\"#<>?{}$&!"),
            ("100%", "100%25"),
            ("a\r\nb\t\u{7f}", "a%0D%0Ab%09%7F"),
            ("Grüße", "Gr%C3%BC%C3%9Fe"),
            ("  a b ", "%20 a b%20"),
            (" ", "%20"),
        ] {
            assert_eq!(encode(text), encoded, "{text:?}");
        }
    }

    #[test]
    fn decodes_malformed_text_as_far_as_it_goes() {
        for (encoded, text) in [
            ("a%20b%C3%bc", "a b\u{fc}"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("%+1", "%+1"),
            ("%FF.", "\u{fffd}."),
            ("%%41", "%A"),
        ] {
            assert_eq!(
                decode(&HeaderValue::from_static(encoded)),
                text,
                "{encoded}"
            );
        }
    }

    #[test]
    fn truncates_between_characters() {
        for (max_len, expected) in [(9, "abßc"), (7, "..."), (0, "...")] {
            let mut text = "abßc".to_owned();
            truncate(&mut text, max_len);
            assert_eq!(text, expected, "{max_len}");
        }
        for (max_len, expected) in [(20, "abßcdefghijklmn"), (19, "abßcd...")] {
            let mut text = "abßcdefghijklmn".to_owned();
            truncate(&mut text, max_len);
            assert_eq!(text, expected, "{max_len}");
        }
    }

    proptest! {
        #[test]
        fn every_encoded_text_decodes(text in any::<String>()) {
            prop_assert_eq!(decode(&encode(&text)), text);
        }

        #[test]
        fn decoding_never_fails(value: Vec<u8>) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                prop_assert!(decode(&value).len() <= 3 * value.len());
            }
        }

        #[test]
        fn tonic_decodes_every_encoded_text(text in any::<String>()) {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("5"));
            trailers.insert("grpc-message", encode(&text));
            let status = Status::from_header_map(&trailers).unwrap();
            prop_assert_eq!((status.code(), status.message()), (Code::NotFound, text.as_str()));
        }

        /// Every byte that tonic leaves as it is stays here too, except a space at either end.
        #[test]
        fn encoded_text_is_never_longer_than_tonics(text in any::<String>()) {
            let text = format!("-{text}-");
            let mut trailers = HeaderMap::new();
            Status::not_found(&text).add_header(&mut trailers).unwrap();
            prop_assert!(encode(&text).len() <= trailers["grpc-message"].len());
        }
    }
}
