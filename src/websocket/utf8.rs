//! UTF-8 of a text whose bytes come in pieces.

use std::str;

/// Validator of a text whose bytes come in pieces.
#[derive(Default)]
pub(crate) struct Utf8Validator {
    /// Begin of a character whose other bytes have not come yet.
    begun: [u8; MAX_CHARACTER_BYTES],
    begun_len: usize,
}

/// Length of the longest character
/// ([RFC 3629, section 3](https://www.rfc-editor.org/rfc/rfc3629#section-3)).
const MAX_CHARACTER_BYTES: usize = 4;

/// A text is not UTF-8.
pub(crate) struct NotUtf8;

impl Utf8Validator {
    /// Validates the next bytes.
    ///
    /// # Errors
    ///
    /// Fails as soon as no further bytes can make the text valid.
    pub(crate) fn advance(&mut self, mut bytes: &[u8]) -> Result<(), NotUtf8> {
        while self.begun_len > 0 {
            let [first, rest @ ..] = bytes else {
                return Ok(());
            };
            self.begun[self.begun_len] = *first;
            self.begun_len += 1;
            bytes = rest;
            match str::from_utf8(&self.begun[..self.begun_len]) {
                Ok(_) => self.begun_len = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => {
                    self.begun_len = 0;
                    return Err(NotUtf8);
                }
            }
        }
        let Err(error) = str::from_utf8(bytes) else {
            return Ok(());
        };
        if error.error_len().is_some() {
            return Err(NotUtf8);
        }
        let begun = &bytes[error.valid_up_to()..];
        self.begun[..begun.len()].copy_from_slice(begun);
        self.begun_len = begun.len();
        Ok(())
    }

    /// Ends the text, so that another one may begin.
    ///
    /// # Errors
    ///
    /// Fails if the text ends within a character.
    pub(crate) fn finish(&mut self) -> Result<(), NotUtf8> {
        match std::mem::take(&mut self.begun_len) {
            0 => Ok(()),
            _ => Err(NotUtf8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_valid<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let mut validator = Utf8Validator::default();
        pieces
            .into_iter()
            .all(|piece| validator.advance(piece).is_ok())
            && validator.finish().is_ok()
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            text in ".{0,9}",
            broken: Option<(prop::sample::Index, u8)>,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let mut bytes = text.into_bytes();
            if let (Some((at, byte)), false) = (broken, bytes.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let expected = str::from_utf8(&bytes).is_ok();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|range| &bytes[range[0]..range[1]]);
            prop_assert_eq!(is_valid(pieces), expected);
            prop_assert_eq!(is_valid(bytes.chunks(1)), expected);
        }
    }

    /// Each prefix is invalid with its last byte, and valid without it.
    #[test]
    fn fails_at_the_first_byte_that_cannot_be_valid() {
        for prefix in [
            &b"\xff"[..],
            b"a\x80",
            b"\xc0",
            b"\xe0\x80",
            b"\xed\xa0",
            b"\xf0\x80",
            b"\xf4\x90",
            b"\xf5",
            b"\xce\xba\xe1\xbd\xb9\xf4\x90",
        ] {
            let (last, begin) = prefix.split_last().unwrap();
            let mut validator = Utf8Validator::default();
            assert!(validator.advance(begin).is_ok(), "{prefix:x?}");
            assert!(validator.advance(&[*last]).is_err(), "{prefix:x?}");
        }
    }
}
