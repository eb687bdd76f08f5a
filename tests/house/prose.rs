//! Check: comments and Markdown are plain technical English, in lines of at most 100 columns.

use crate::{
    sources::Sources,
    text::{Kind, Line, blocks},
};

/// Columns of a line, as rustfmt has them for code.
const MAX_COLUMNS: usize = 100;

/// Words that no line begins with. The subject belongs there.
const OPENINGS: [&str; 5] = ["What", "How", "Where", "Who", "The same"];

/// Words that stand nowhere, each with better ones.
const WORDS: [(&str, &str); 6] = [
    ("told", "passed, configured, reported"),
    ("kept", "stored, held, preserved"),
    ("looked at", "inspected, read"),
    ("whoever", "the caller, the client"),
    ("but for", "except"),
    ("other people's", "user code"),
];

/// Finds lines that break the rules in all files except generated ones.
pub(crate) fn faults(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in sources.iter().filter(|(path, _)| !is_generated(path)) {
        for block in blocks(path, text) {
            let openings = block.iter().filter_map(opening);
            let widths = block.iter().filter_map(width);
            let mut found: Vec<_> = openings.chain(widths).chain(words(&block)).collect();
            found.sort();
            faults.extend(
                found
                    .iter()
                    .map(|(line, fault)| format!("{path}:{line}: {fault}")),
            );
        }
    }
    faults
}

pub(crate) fn is_generated(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with("generated"))
}

type Fault = (usize, String);

fn opening(line: &Line) -> Option<Fault> {
    let words = after_markers(&line.text);
    let opening = OPENINGS.iter().find(|opening| {
        let rest = words.strip_prefix(**opening);
        rest.is_some_and(|rest| !rest.starts_with(|char: char| char.is_alphanumeric()))
    });
    match line.kind {
        Kind::Prose => opening.map(|it| (line.number, format!("the line begins with \"{it}\""))),
        _ => None,
    }
}

/// Strips what stands before the words of a heading, an item of a list or a quotation.
fn after_markers(text: &str) -> &str {
    let text =
        text.trim_start_matches(|char: char| char.is_whitespace() || "#>-*+_".contains(char));
    match text.split_once(". ") {
        Some((number, rest)) if number.parse::<usize>().is_ok() => rest,
        _ => text,
    }
}

/// Finds a line that is too long and can be broken.
fn width(line: &Line) -> Option<Fault> {
    let is_definition = line.text.starts_with('[') && line.text.contains("]: ");
    if line.kind != Kind::Prose || is_definition || line.columns <= MAX_COLUMNS {
        return None;
    }
    let without_links = without_destinations(&line.text);
    let saved = line.text.chars().count() - without_links.chars().count();
    // Code and URLs are not broken: a line that holds nothing besides is as short as it can be.
    let breaks = breaks(after_markers(&without_links).trim_end());
    let is_too_long = line.columns - saved > MAX_COLUMNS && breaks > 0;
    is_too_long.then(|| {
        (
            line.number,
            format!("{} columns, wrap at {MAX_COLUMNS}", line.columns),
        )
    })
}

/// Counts the spaces outside of code.
fn breaks(text: &str) -> usize {
    let outside_of_code = text.split('`').step_by(2);
    outside_of_code.map(|text| text.matches(' ').count()).sum()
}

fn without_destinations(text: &str) -> String {
    let mut parts = text.split("](");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push(']');
        text.push_str(part.split_once(')').map_or("", |(_, rest)| rest));
    }
    text
}

fn words(block: &[Line]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for paragraph in paragraphs(block) {
        let (text, lines) = without_code(paragraph);
        for (word, better) in WORDS {
            for (at, _) in text.match_indices(word) {
                let before = text[..at].chars().next_back();
                let mut after = text[at + word.len()..].chars();
                let is_part = |char: char| char.is_alphanumeric() || "_/".contains(char);
                // A name of a file goes on after its dot.
                let is_word = match (after.next(), after.next()) {
                    (Some('.'), next) => !next.is_some_and(is_part),
                    (next, _) => !next.is_some_and(is_part),
                };
                if is_word && !before.is_some_and(is_part) {
                    let fault = format!("\"{word}\": say it otherwise ({better})");
                    faults.push((lines[at], fault));
                }
            }
        }
    }
    faults
}

/// Splits a block at its blank lines and its code. Each line of a table is a paragraph.
pub(crate) fn paragraphs(block: &[Line]) -> impl Iterator<Item = &[Line]> {
    block
        .chunk_by(|one, next| {
            let is_text = |line: &Line| line.kind == Kind::Prose && !line.text.trim().is_empty();
            is_text(one) && is_text(next)
        })
        .filter(|paragraph| paragraph[0].kind != Kind::Code)
}

/// Joins a paragraph in lower case, without its code and its URLs, and says of each byte which line
/// it is from.
fn without_code(paragraph: &[Line]) -> (String, Vec<usize>) {
    let mut text = String::new();
    let mut lines = Vec::new();
    let mut is_code = false;
    for line in paragraph {
        let words = without_destinations(&line.text)
            .to_lowercase()
            .replace('\u{2019}', "'");
        for word in words
            .split_whitespace()
            .filter(|word| !word.contains("://"))
        {
            for char in word.chars() {
                is_code ^= char == '`';
                if !is_code {
                    text.push(char);
                }
            }
            text.push(' ');
            lines.resize(text.len(), line.number);
        }
    }
    (text, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(path: &str, text: &str) -> Vec<String> {
        faults(&Sources::of(&[(path, text)]))
    }

    #[test]
    fn a_line_that_begins_with_a_question_word_is_a_fault() {
        assert_eq!(
            faults_of(
                "src/a.rs",
                "//! What it is.\n// However.\n/// It says\n/// - How it is.\nfn f() {} // Who?\n\
                 /// ```\n/// // Where it is code.\n/// ```\n/// The same thing.\n"
            ),
            [
                "src/a.rs:1: the line begins with \"What\"",
                "src/a.rs:4: the line begins with \"How\"",
                "src/a.rs:5: the line begins with \"Who\"",
                "src/a.rs:9: the line begins with \"The same\"",
            ]
        );
        assert_eq!(
            faults_of("README.md", "## How\n\n1. Where\n\nIt is how.\n"),
            [
                "README.md:1: the line begins with \"How\"",
                "README.md:3: the line begins with \"Where\"",
            ]
        );
    }

    #[test]
    fn a_banned_word_is_found_across_lines_and_not_in_code() {
        assert_eq!(
            faults_of(
                "tests/a.rs",
                "// Nothing but\n// for `kept`, kept.txt and `a\n// told`.\n\n// Told:\n\
                 fn told() { f(\"kept\") }\n"
            ),
            [
                "tests/a.rs:1: \"but for\": say it otherwise (except)",
                "tests/a.rs:5: \"told\": say it otherwise (passed, configured, reported)",
            ]
        );
        assert_eq!(
            faults_of(
                "benches/README.md",
                "| a | other people\u{2019}s |\n\n```text\ntold\n```\n"
            ),
            ["benches/README.md:1: \"other people's\": say it otherwise (user code)"]
        );
        assert_eq!(faults_of("tests/generated.rs", "// Told.\n"), [""; 0]);
    }

    #[test]
    fn a_long_line_is_a_fault_unless_it_cannot_be_broken() {
        let long = "word ".repeat(20);
        let unbroken = "w".repeat(101);
        let text = format!(
            "{long}!\n\n| {long} |\n\n```text\n{long}!\n```\n\n- `{long}!`\n- {unbroken}\n\n\
             [text](https://{unbroken})\n\n[text]: https://{unbroken}\n"
        );
        assert_eq!(
            faults_of("DESIGN.md", &text),
            ["DESIGN.md:1: 101 columns, wrap at 100"]
        );
        assert_eq!(
            faults_of(
                "src/a.rs",
                &format!("fn f() {{\n    // {}\n}}\n", "word ".repeat(19))
            ),
            ["src/a.rs:2: 102 columns, wrap at 100"]
        );
    }
}
