//! Check: no old name has come back, in code or in the prose about it.
//!
//! Left out are old names that are common words with another meaning of their own (`new`, `see`,
//! `end`, `over`), and `with_upgrades`, which is hyper's too.

use proc_macro2::{TokenStream, TokenTree};

use crate::{
    prose::{is_generated, paragraphs},
    sources::Sources,
    text::{Kind, Line, blocks},
};

/// Names that stand nowhere.
#[rustfmt::skip]
const EVERYWHERE: &[&str] = &[
    "Asking", "AtOnce", "CatchUpgraded", "CutShort", "How", "Kept", "PlainSending", "Readiness",
    "Shown", "Thrown", "UpgradeHandle", "Upgrades", "Upgrading", "WebBody", "What", "adopt_up_to",
    "beside", "catch_poll_keeping", "code_of_peer", "exception_in", "from_number", "not_answered",
    "plain_500", "quietly", "reject_with_http", "respond_anew", "says", "shown_detail",
    "take_beside", "takes_close", "tell_of", "too_late", "unguarded", "with_json",
];

/// Names that stand nowhere in `src`. Tests and examples have things of their own by these names.
#[rustfmt::skip]
const IN_SOURCE: &[&str] = &[
    "Answered", "Carrier", "Catching", "Cause", "Closing", "Custom", "Ending", "Erased", "Form",
    "Frames", "Guard", "Guarded", "Handled", "Inner", "LEAST", "LONGEST", "Later", "Look", "Made",
    "Mark", "Ordered", "Place", "Plain", "ROOM", "Sending", "Sent", "Settings", "Told",
    "Wire", "how", "look", "looks", "place", "tell", "told", "upgrades",
];

/// Finds old names in all files except generated ones.
pub(crate) fn faults(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    let is_own = |path: &str| path != "CHANGELOG.md" && !is_generated(path);
    for (path, text) in sources.iter().filter(|(path, _)| is_own(path)) {
        let mut names = names_in_text(path, text);
        if path.ends_with(".rs") {
            names.extend(text.parse().map(names_in_code).unwrap_or_default());
        }
        names.retain(|(_, name)| is_old(path, name));
        names.sort();
        names.dedup();
        let faulty = |(line, name): &(usize, String)| format!("{path}:{line}: old name `{name}`");
        faults.extend(names.iter().map(faulty));
    }
    faults
}

fn is_old(path: &str, name: &str) -> bool {
    let is_source = path.starts_with("src/");
    EVERYWHERE.contains(&name) || (is_source && IN_SOURCE.contains(&name))
}

fn names_in_code(tokens: TokenStream) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => names.extend(names_in_code(group.stream())),
            TokenTree::Ident(name) => names.push((name.span().start().line, name.to_string())),
            _ => {}
        }
    }
    names
}

/// Returns the names in code spans and in blocks of Rust.
fn names_in_text(path: &str, text: &str) -> Vec<(usize, String)> {
    let is_name = |char: char| char.is_alphanumeric() || char == '_';
    let mut names = Vec::new();
    for block in blocks(path, text) {
        for paragraph in paragraphs(&block) {
            let mut is_code = false;
            for line in paragraph {
                for part in line.text.split_inclusive('`') {
                    if is_code {
                        let words = part.split(|char| !is_name(char));
                        names.extend(words.map(|word| (line.number, word.to_owned())));
                    }
                    is_code ^= part.ends_with('`');
                }
            }
        }
        for (first, code) in rust_examples(&block) {
            let examples = code.parse().map(names_in_code).unwrap_or_default();
            names.extend(
                examples
                    .into_iter()
                    .map(|(line, name)| (first + line, name)),
            );
        }
    }
    names
}

/// Returns the fenced blocks of Rust, each with the line of its fence.
fn rust_examples(block: &[Line]) -> Vec<(usize, String)> {
    let mut examples = Vec::new();
    let mut code = block.iter().filter(|line| line.kind == Kind::Code);
    while let Some(fence) = code.next() {
        // A line that begins with `# ` is one that rustdoc hides.
        let shown = |line: &'_ str| line.strip_prefix("# ").unwrap_or(line).to_owned();
        let lines: Vec<_> = code
            .by_ref()
            .map(|line| line.text.trim())
            .take_while(|text| !text.starts_with("```"))
            .map(shown)
            .collect();
        if is_rust(&fence.text) {
            examples.push((fence.number, lines.join("\n")));
        }
    }
    examples
}

/// Says whether a fence is one of Rust, as rustdoc sees it.
fn is_rust(fence: &str) -> bool {
    const FLAGS: [&str; 6] = [
        "",
        "rust",
        "ignore",
        "no_run",
        "should_panic",
        "compile_fail",
    ];
    let flags = fence.trim().trim_start_matches('`').split(',');
    flags.into_iter().all(|flag| FLAGS.contains(&flag.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(path: &str, text: &str) -> Vec<String> {
        faults(&Sources::of(&[(path, text)]))
    }

    #[test]
    fn an_old_name_is_a_fault_in_code_and_in_prose() {
        assert_eq!(
            faults_of(
                "src/a.rs",
                "//! `Kept` or Kept.\nuse b::{Thrown};\nfn f() { g!(x.quietly(\"told\")) }\n\
                 /// ```\n/// # use a::CutShort;\n/// ```\n/// ```text\n/// What\n/// ```\n\
                 struct Form;\n"
            ),
            [
                "src/a.rs:1: old name `Kept`",
                "src/a.rs:2: old name `Thrown`",
                "src/a.rs:3: old name `quietly`",
                "src/a.rs:5: old name `CutShort`",
                "src/a.rs:10: old name `Form`",
            ]
        );
    }

    #[test]
    fn tests_have_some_names_of_their_own() {
        assert_eq!(faults_of("tests/a.rs", "struct Form;\n"), [""; 0]);
        assert_eq!(
            faults_of("README.md", "[`UpgradeHandle::catch`](docs)\n"),
            ["README.md:1: old name `UpgradeHandle`"]
        );
        assert_eq!(faults_of("CHANGELOG.md", "`UpgradeHandle`\n"), [""; 0]);
    }
}
