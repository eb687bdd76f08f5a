//! Check: a file of the repository that a guide names exists.

use crate::{
    sources::Sources,
    text::{Kind, blocks},
};

/// Folders whose files are named by their whole paths.
const FOLDERS: [&str; 4] = ["benches/", "examples/", "fuzz/", "tests/"];

/// Finds names of files that do not exist, in the guides.
pub(crate) fn faults(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (guide, text) in sources
        .iter()
        .filter(|(path, _)| path.starts_with("src/docs/"))
    {
        for line in blocks(guide, text).iter().flatten() {
            let spans = line.text.split('`').skip(1).step_by(2);
            let is_file = |span: &&str| {
                let name = span.rsplit('/').next().unwrap_or_default();
                name.contains('.') && FOLDERS.iter().any(|folder| span.starts_with(folder))
            };
            let paths = spans.filter(is_file).filter(|_| line.kind != Kind::Code);
            let missing = paths.filter(|path| sources.get(path).is_none());
            let fault = |path| format!("{guide}:{}: there is no file {path}", line.number);
            faults.extend(missing.map(fault));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_a_fault() {
        let sources = Sources::of(&[
            (
                "src/docs/a.md",
                "See `tests/a.rs`,\n| `tests/b.rs` |\n```\n`tests/c.rs`\n```\n",
            ),
            ("tests/a.rs", "//! A test.\n"),
        ]);
        assert_eq!(
            faults(&sources),
            ["src/docs/a.md:2: there is no file tests/b.rs"]
        );
    }
}
