//! Prose of a file: the comments of code, the lines of Markdown.

/// One line of prose.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// Counted from one.
    pub(crate) number: usize,
    /// The words, without the marker of a comment.
    pub(crate) text: String,
    /// Columns of the whole line, with all that stands before the words.
    pub(crate) columns: usize,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Prose,
    /// A line of a table.
    Table,
    /// A line of a fenced block, or its fence.
    Code,
}

/// Returns the prose of a file, in blocks: a Markdown file, a comment of one or more lines.
///
/// Files of no known kind have none.
pub(crate) fn blocks(path: &str, text: &str) -> Vec<Vec<Line>> {
    let mut blocks = match path.rsplit_once('.') {
        Some((_, "md")) => vec![text.lines().enumerate().map(markdown_line).collect()],
        Some((_, "rs")) => comments_of_rust(text),
        Some((_, "sh" | "toml")) => comments_of_shell(text),
        _ if path.starts_with(".ci/") => comments_of_shell(text),
        _ => Vec::new(),
    };
    blocks.iter_mut().for_each(|block| mark(block));
    blocks
}

fn markdown_line((index, line): (usize, &str)) -> Line {
    Line {
        number: index + 1,
        text: line.to_owned(),
        columns: line.chars().count(),
        kind: Kind::Prose,
    }
}

/// Marks tables and fenced code.
fn mark(block: &mut [Line]) {
    let mut is_code = false;
    for line in block {
        let text = line.text.trim_start();
        let is_fence = text.starts_with("```");
        line.kind = match text {
            _ if is_fence || is_code => Kind::Code,
            _ if text.starts_with('|') => Kind::Table,
            _ => Kind::Prose,
        };
        is_code ^= is_fence;
    }
}

/// Collects the comments of a shell script or a TOML file that have their lines for themselves.
fn comments_of_shell(text: &str) -> Vec<Vec<Line>> {
    let mut comments = Comments::default();
    for (index, line) in text.lines().enumerate() {
        match line.trim_start().strip_prefix('#') {
            Some(words) if !words.starts_with('!') => comments.add(index + 1, "#", words, line),
            _ => {}
        }
    }
    comments.blocks
}

/// Comments that are collected; those of one kind in lines that follow each other are one block.
#[derive(Default)]
struct Comments<'a> {
    blocks: Vec<Vec<Line>>,
    /// Marker and line of the latest comment.
    latest: Option<(&'a str, usize)>,
}

impl<'a> Comments<'a> {
    fn add(&mut self, number: usize, marker: &'a str, words: &str, whole: &str) {
        let line = Line {
            number,
            text: words.strip_prefix(' ').unwrap_or(words).to_owned(),
            columns: whole.chars().count(),
            kind: Kind::Prose,
        };
        match self.blocks.last_mut() {
            Some(block) if self.latest == Some((marker, number - 1)) => block.push(line),
            _ => self.blocks.push(vec![line]),
        }
        self.latest = Some((marker, number));
    }
}

fn comments_of_rust(text: &str) -> Vec<Vec<Line>> {
    let mut comments = Comments::default();
    let mut lexer = Lexer::default();
    let mut fence = 0;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        // A fence that depends on a feature is an attribute, once for each case.
        if lexer.is_code() && line.starts_with("#![cfg_attr(") && line.contains("doc = \"```") {
            if fence + 1 != number {
                comments.add(number, "//!", "```", line);
            }
            comments.latest = Some(("//!", number));
            fence = number;
            continue;
        }
        if let Some((marker, words)) = lexer.comment(line) {
            comments.add(number, marker, words, line);
        }
    }
    comments.blocks
}

/// State at the end of a line of Rust.
#[derive(Default)]
enum Lexer {
    #[default]
    Code,
    String,
    /// A raw string, up to a quote and this many `#`.
    RawString(usize),
    /// A comment in `/* */`, and its depth.
    Comment(usize),
}

impl Lexer {
    fn is_code(&self) -> bool {
        matches!(self, Self::Code)
    }

    /// Takes in a line, and returns the marker and the words of the comment in it.
    fn comment<'a>(&mut self, line: &'a str) -> Option<(&'static str, &'a str)> {
        let mut comment = match self {
            Self::Comment(_) => Some(("/*", line)),
            _ => None,
        };
        let mut rest = line;
        while let Some(char) = rest.chars().next() {
            let mut taken = char.len_utf8();
            match self {
                Self::Code if rest.starts_with("//") => return Some(line_comment(rest)),
                Self::Code if rest.starts_with("/*") => {
                    taken = 2;
                    comment = Some(("/*", &rest[2..]));
                    *self = Self::Comment(1);
                }
                Self::Code if char == '"' => *self = Self::String,
                Self::Code if char == '\'' => taken = char_or_lifetime(rest),
                Self::Code if char.is_alphanumeric() || char == '_' => {
                    let is_word = |char: char| char.is_alphanumeric() || char == '_';
                    taken = rest.find(|char| !is_word(char)).unwrap_or(rest.len());
                    let after = &rest[taken..];
                    let hashes = after.len() - after.trim_start_matches('#').len();
                    let is_raw = matches!(&rest[..taken], "r" | "br" | "cr");
                    if is_raw && after[hashes..].starts_with('"') {
                        taken += hashes + 1;
                        *self = Self::RawString(hashes);
                    }
                }
                Self::Code => {}
                Self::String if char == '\\' => {
                    taken += rest[1..].chars().next().map_or(0, char::len_utf8);
                }
                Self::String if char == '"' => *self = Self::Code,
                Self::String => {}
                Self::RawString(hashes) => {
                    let hashes = *hashes;
                    if char == '"' && rest[1..].starts_with(&"#".repeat(hashes)) {
                        taken += hashes;
                        *self = Self::Code;
                    }
                }
                Self::Comment(depth) if rest.starts_with("/*") => {
                    taken = 2;
                    *depth += 1;
                }
                Self::Comment(depth) if rest.starts_with("*/") => {
                    taken = 2;
                    *depth -= 1;
                    if *depth == 0 {
                        *self = Self::Code;
                    }
                }
                Self::Comment(_) => {}
            }
            rest = &rest[taken..];
        }
        let words = |words: &'a str| words.trim_end().trim_end_matches("*/");
        comment.map(|(marker, text)| (marker, words(text)))
    }
}

/// Splits a comment that goes to the end of its line into its marker and its words.
fn line_comment(comment: &str) -> (&'static str, &str) {
    ["//!", "///", "//"]
        .into_iter()
        .find_map(|marker| Some((marker, comment.strip_prefix(marker)?)))
        .unwrap_or(("//", comment))
}

/// Returns the length of the literal or of the quote that begins a lifetime.
fn char_or_lifetime(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((escaped, char))) => {
            let after = escaped + char.len_utf8();
            rest[after..].find('\'').map_or(1, |end| after + end + 1)
        }
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(path: &str, text: &str) -> Vec<(usize, String)> {
        let lines = blocks(path, text).into_iter().flatten();
        lines
            .filter(|line| line.kind == Kind::Prose)
            .map(|line| (line.number, line.text.trim().to_owned()))
            .collect()
    }

    #[test]
    fn strings_are_no_comments() {
        let text = r##"//! One.
let a = "// no \" // no"; // Two.
let b = r#"
// no " no
"#; /* Three.
four. */ let c = '"'; // Five.
let d = b'\''; let e: &'static str = "\\"; /// Six.
let f = br"\"; // Seven.
let g = r; // Eight.
"##;
        let expected = [
            (1, "One."),
            (2, "Two."),
            (5, "Three."),
            (6, "Five."),
            (7, "Six."),
            (8, "Seven."),
            (9, "Eight."),
        ];
        assert_eq!(
            words("a.rs", text),
            expected.map(|(line, text)| (line, text.to_owned()))
        );
    }

    #[test]
    fn tables_and_fenced_code_are_no_prose() {
        let text = "A.\n\n| B |\n\n```text\nC\n```\nD.\n";
        let expected = [(1, "A."), (2, ""), (4, ""), (8, "D.")];
        let expected = expected.map(|(line, text)| (line, text.to_owned()));
        assert_eq!(words("a.md", text), expected);
        let code = text
            .lines()
            .map(|line| format!("    /// {line}\n"))
            .collect::<String>();
        assert_eq!(words("a.rs", &code), expected);
    }

    #[test]
    fn a_fence_may_depend_on_a_feature() {
        let text = "//! A.\n#![cfg_attr(feature = \"x\", doc = \"```\")]\n\
            #![cfg_attr(not(feature = \"x\"), doc = \"```ignore\")]\n//! code\n//! ```\n//! B.\n";
        assert_eq!(
            words("lib.rs", text),
            [(1, "A.".to_owned()), (6, "B.".to_owned())]
        );
    }

    #[test]
    fn scripts_and_manifests_have_comments_too() {
        assert_eq!(
            words("a.sh", "#!/bin/sh\n# One.\nx='#'\n  # Two.\n"),
            [(2, "One.".to_owned()), (4, "Two.".to_owned())]
        );
        assert_eq!(words("a.json", "# no"), []);
    }
}
