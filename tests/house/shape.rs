//! Check: a file says first what it holds, and is short.

use syn::{Item, spanned::Spanned};

use crate::{modules::is_for_tests, sources::Sources};

/// Longest file, without its tests: some six screens, as much as is read in one sitting.
const MAX_LINES: usize = 300;

/// Finds files without an introduction, and long ones.
pub(crate) fn faults(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, text) in sources.library() {
        if !is_introduced(text) {
            faults.push(format!(
                "{file}:1: the first line is no `//!` with words in it"
            ));
        }
        match lines_without_tests(text) {
            Ok(lines) if lines > MAX_LINES => {
                let limit = format!("more than {MAX_LINES}");
                faults.push(format!("{file}: {lines} lines without its tests, {limit}"));
            }
            Ok(_) => {}
            Err(error) => faults.push(format!("{file}: {error}")),
        }
    }
    faults
}

/// Says whether a file begins with documentation, its own or that of an included file.
fn is_introduced(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    match first.strip_prefix("//!") {
        Some(doc) => doc.split_whitespace().count() > 1,
        None => first.starts_with("#![doc = include_str!("),
    }
}

fn lines_without_tests(text: &str) -> syn::Result<usize> {
    let mut lines = text.lines().count();
    for item in syn::parse_file(text)?.items {
        if let Item::Mod(module) = item {
            if is_for_tests(&module.attrs) {
                // The span of an item begins with its attributes.
                let span = module.span();
                lines -= span.end().line - span.start().line + 1;
            }
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_a_fault_and_long_tests_are_none() {
        let code = |lines| "fn f() {}\n".repeat(lines);
        let tests = format!("/// Docs.\n#[cfg(test)]\nmod tests {{\n{}}}\n", code(500));
        let sources = Sources::of(&[
            (
                "src/long.rs",
                &format!("//! Too long.\n{}{tests}", code(300)),
            ),
            (
                "src/short.rs",
                &format!("//! Short enough.\n{}{tests}", code(299)),
            ),
        ]);
        assert_eq!(
            faults(&sources),
            ["src/long.rs: 301 lines without its tests, more than 300"]
        );
    }

    #[test]
    fn a_file_without_an_introduction_is_a_fault() {
        let sources = Sources::of(&[
            ("src/empty.rs", ""),
            ("src/guide.rs", "#![doc = include_str!(\"guide.md\")]\n"),
            ("src/late.rs", "use a::b;\n//! It comes too late.\n"),
            ("src/lib.rs", "//! A whole crate.\n"),
            ("src/wordless.rs", "//! -\n"),
        ]);
        let fault = "the first line is no `//!` with words in it";
        assert_eq!(
            faults(&sources)
                .iter()
                .filter(|it| it.ends_with(fault))
                .collect::<Vec<_>>(),
            [
                &format!("src/empty.rs:1: {fault}"),
                &format!("src/late.rs:1: {fault}"),
                &format!("src/wordless.rs:1: {fault}"),
            ]
        );
    }
}
