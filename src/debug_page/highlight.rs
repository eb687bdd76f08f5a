//! Tokens of a line of Rust, for colors.
//!
//! A line is read by itself: a comment or a text that began on a line before is taken for code.

/// Kind of a token. Its name is the class of its element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Comment,
    Keyword,
    Number,
    Other,
    Text,
    Type,
}

const KEYWORDS: [&str; 37] = [
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern",
    "false", "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub",
    "ref", "return", "self", "Self", "static", "struct", "super", "trait", "true", "type", "use",
    "where", "while",
];

impl Token {
    pub(super) fn class(self) -> Option<&'static str> {
        match self {
            Self::Comment => Some("c"),
            Self::Keyword => Some("k"),
            Self::Number => Some("n"),
            Self::Other => None,
            Self::Text => Some("s"),
            Self::Type => Some("t"),
        }
    }
}

/// Splits a line into tokens, which together are the line.
pub(super) fn tokens(line: &str) -> Vec<(Token, &str)> {
    let mut tokens: Vec<(Token, &str)> = Vec::new();
    let mut start = 0;
    while start < line.len() {
        let rest = &line[start..];
        let (token, length) = first(rest);
        let end = start + length;
        match tokens.last_mut() {
            // Spaces and signs in a row are one token.
            Some((Token::Other, last)) if token == Token::Other => {
                *last = &line[start - last.len()..end];
            }
            _ => tokens.push((token, &line[start..end])),
        }
        start = end;
    }
    tokens
}

/// Returns the first token of a text that is not empty, and its length in bytes.
fn first(text: &str) -> (Token, usize) {
    let mut chars = text.chars();
    let first = chars.next().unwrap_or_default();
    match first {
        '/' if text.starts_with("//") => (Token::Comment, text.len()),
        '"' => (Token::Text, quoted(text)),
        '\'' => match chars.next().zip(chars.next()) {
            Some(('\\', escaped)) => {
                let from = 2 + escaped.len_utf8();
                let end = text[from..]
                    .find('\'')
                    .map_or(text.len(), |end| from + end + 1);
                (Token::Text, end)
            }
            Some((char, '\'')) => (Token::Text, 2 + char.len_utf8()),
            _ => (Token::Other, 1),
        },
        '0'..='9' => {
            let is_number = |char: char| char.is_ascii_alphanumeric() || char == '_';
            (
                Token::Number,
                text.find(|char| !is_number(char)).unwrap_or(text.len()),
            )
        }
        first if first.is_alphabetic() || first == '_' => {
            let is_name = |char: char| char.is_alphanumeric() || char == '_';
            let length = text.find(|char| !is_name(char)).unwrap_or(text.len());
            let name = &text[..length];
            let token = match name {
                name if KEYWORDS.contains(&name) => Token::Keyword,
                _ if first.is_uppercase() => Token::Type,
                _ => Token::Other,
            };
            (token, length)
        }
        first => (Token::Other, first.len_utf8()),
    }
}

/// Returns the length of the quoted text with which `text` begins.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (position, char) in text.char_indices().skip(1) {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return position + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_tokens() {
        use Token::{Comment, Keyword, Number, Other, Text, Type};
        assert_eq!(
            tokens("let x: Vec<&'a str> = f(1_0, \"a\\\"b\", 'c', '\\n'); // é"),
            [
                (Keyword, "let"),
                (Other, " x: "),
                (Type, "Vec"),
                (Other, "<&'a str> = f("),
                (Number, "1_0"),
                (Other, ", "),
                (Text, "\"a\\\"b\""),
                (Other, ", "),
                (Text, "'c'"),
                (Other, ", "),
                (Text, "'\\n'"),
                (Other, "); "),
                (Comment, "// é"),
            ]
        );
    }

    #[test]
    fn the_tokens_of_any_line_are_the_line() {
        for line in [
            "",
            "\"open",
            "'\\",
            "'",
            "'é'",
            "é\u{0}ß \"\\",
            "'\\u{1f600}'",
            "/ /",
        ] {
            let all: String = tokens(line).iter().map(|(_, text)| *text).collect();
            assert_eq!(all, line);
        }
    }
}
