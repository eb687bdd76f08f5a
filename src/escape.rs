//! Text without control characters, for events: text of users and peers must not forge lines.
#![cfg_attr(not(feature = "tracing"), allow(dead_code))]

use std::{
    borrow::Cow,
    fmt::{self, Write},
};

/// Displays as `T` does, with each control character escaped: `\n`, `\u{1b}`.
pub(crate) struct Escaped<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(EscapingWriter(f), "{}", self.0)
    }
}

/// Returns `text` with each control character escaped.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    match text.contains(is_control) {
        true => Cow::Owned(Escaped(text).to_string()),
        false => Cow::Borrowed(text),
    }
}

struct EscapingWriter<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for EscapingWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(position) = rest.find(is_control) {
            let (harmless, from_control) = rest.split_at(position);
            self.0.write_str(harmless)?;
            let mut chars = from_control.chars();
            if let Some(control) = chars.next() {
                write!(self.0, "{}", control.escape_default())?;
            }
            rest = chars.as_str();
        }
        self.0.write_str(rest)
    }
}

/// Returns whether a terminal, a browser or a log's reader may take `character` for more than text:
/// the control characters C0, DEL and C1, the separators of lines and paragraphs, and the controls
/// of the direction of writing (Unicode Standard Annex 9, section 2).
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_is_no_text() {
        let forged = "a\nb\r\u{1b}[31m\u{7f}\u{85}\u{9b}31m\u{2028}\u{2029}\u{202e}\u{2066}\0";
        let escaped = r"a\nb\r\u{1b}[31m\u{7f}\u{85}\u{9b}31m\u{2028}\u{2029}\u{202e}\u{2066}\u{0}";
        assert_eq!(Escaped(forged).to_string(), escaped);
        assert_eq!(escape(forged), escaped);
    }

    #[test]
    fn text_stays_as_it_is() {
        let text = r#"{"path":"C:\\new"} é 日本 👩‍🚀"#;
        assert_eq!(Escaped(text).to_string(), text);
        assert!(matches!(escape(text), Cow::Borrowed(same) if same == text));
    }
}
