//! The percent-encoding of `grpc-message`.

use bytes::Bytes;
use http::HeaderValue;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

const CUT: &str = "...";

/// `text` as [gRPC over HTTP/2] has it: UTF-8, of which space and what is visible in ASCII but for `%` stay as
/// they are. Space is encoded at either end too, where HTTP drops it (RFC 9110, section 5.5).
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
    // There is nothing left that a header value must not hold.
    HeaderValue::from_maybe_shared(Bytes::from(encoded))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// How long `text` may become where it is encoded. Other implementations encode more than they must: all but
/// letters and digits counts as encoded.
pub(crate) fn longest(text: &str) -> usize {
    let cost = |byte: u8| if byte.is_ascii_alphanumeric() { 1 } else { 3 };
    text.bytes().map(cost).sum()
}

/// Cuts `text` where it might take more than `room` once it is encoded.
pub(crate) fn cut(text: &mut String, room: usize) {
    if longest(text) <= room {
        return;
    }
    let mut left = room.saturating_sub(longest(CUT));
    let mut end = 0;
    for char in text.chars() {
        let char = char.encode_utf8(&mut [0; 4]).len();
        match left.checked_sub(longest(&text[end..end + char])) {
            Some(rest) => left = rest,
            None => break,
        }
        end += char;
    }
    text.truncate(end);
    text.push_str(CUT);
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use proptest::prelude::*;
    use tonic::{Code, Status};

    #[test]
    fn what_stays_and_what_does_not() {
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
    fn cut_between_characters() {
        for (room, expected) in [(9, "abßc"), (7, "..."), (0, "...")] {
            let mut text = "abßc".to_owned();
            cut(&mut text, room);
            assert_eq!(text, expected, "{room}");
        }
        for (room, expected) in [(20, "abßcdefghijklmn"), (19, "abßcd...")] {
            let mut text = "abßcdefghijklmn".to_owned();
            cut(&mut text, room);
            assert_eq!(text, expected, "{room}");
        }
    }

    proptest! {
        #[test]
        fn tonic_reads_what_was_written(text in any::<String>()) {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("5"));
            trailers.insert("grpc-message", encode(&text));
            let status = Status::from_header_map(&trailers).unwrap();
            prop_assert_eq!((status.code(), status.message()), (Code::NotFound, text.as_str()));
        }

        /// Of what tonic leaves as it is this leaves all as it is, but for space at either end.
        #[test]
        fn never_longer_than_tonics(text in any::<String>()) {
            let text = format!("-{text}-");
            let mut trailers = HeaderMap::new();
            Status::not_found(&text).add_header(&mut trailers).unwrap();
            prop_assert!(encode(&text).len() <= trailers["grpc-message"].len());
        }
    }
}
