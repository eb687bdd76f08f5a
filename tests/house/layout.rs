//! The order of the files, as `DESIGN.md` gives it.

use crate::sources::Sources;

/// Paths of the files of `src` in the order of the first `text` block below `# Layout`.
pub(crate) struct Layout(Vec<String>);

impl Layout {
    /// Reads the layout.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(crate) fn read(sources: &Sources) -> Result<Self, String> {
        let design = sources.get("DESIGN.md").ok_or("DESIGN.md: no such file")?;
        let mut lines = design.lines();
        let is_heading =
            |line: &str| line.starts_with('#') && line.trim_start_matches('#').trim() == "Layout";
        lines
            .find(|line| is_heading(line))
            .ok_or("DESIGN.md: no heading `# Layout`")?;
        lines
            .find(|line| line.trim() == "```text")
            .ok_or("DESIGN.md: no block ```text below `# Layout`")?;
        let block: Vec<_> = lines.take_while(|line| line.trim() != "```").collect();
        Ok(Self::of_block(&block))
    }

    fn of_block(block: &[&str]) -> Self {
        let indent = |line: &str| line.len() - line.trim_start().len();
        let entries = block
            .iter()
            .filter(|line| !line.trim().is_empty() && line.trim() != "src/");
        let outermost = entries.clone().map(|line| indent(line)).min().unwrap_or(0);
        let mut joined: Vec<String> = Vec::new();
        for line in entries {
            match joined.last_mut() {
                // An entry that does not fit into a line goes on in the next one, further in.
                Some(entry) if indent(line) > outermost => {
                    entry.push(' ');
                    entry.push_str(line.trim());
                }
                _ => joined.push(line.trim().to_owned()),
            }
        }
        Self(joined.iter().flat_map(|entry| files_of(entry)).collect())
    }

    /// Returns the rank of a file; a file imports from those of a lower rank.
    pub(crate) fn rank(&self, file: &str) -> Option<usize> {
        self.0.iter().position(|other| other == file)
    }

    /// Says where the layout and the tree differ.
    pub(crate) fn faults(&self, sources: &Sources) -> Vec<String> {
        let unlisted = sources
            .library()
            .filter(|(file, _)| self.rank(file).is_none())
            .map(|(file, _)| format!("{file}: not listed below `# Layout` in DESIGN.md"));
        let absent = self
            .0
            .iter()
            .filter(|file| sources.get(file).is_none())
            .map(|file| format!("{file}: listed below `# Layout` in DESIGN.md, but no such file"));
        unlisted.chain(absent).collect()
    }
}

/// Returns the files of an entry: `a.rs  its description`, or `b/  first, second (its types), mod`.
fn files_of(entry: &str) -> Vec<String> {
    let (path, rest) = entry.split_once(char::is_whitespace).unwrap_or((entry, ""));
    let Some(folder) = path.strip_suffix('/') else {
        return vec![format!("src/{path}")];
    };
    let mut depth = 0_usize;
    let outside_of_parentheses: String = rest
        .chars()
        .filter(|char| match char {
            '(' => {
                depth += 1;
                false
            }
            ')' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect();
    outside_of_parentheses
        .split(',')
        .filter_map(|file| file.split_whitespace().next())
        .map(|file| format!("src/{folder}/{}.rs", file.trim_end_matches(".rs")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lists_its_files_in_order() {
        let design = "# Other\n```text\nx.rs\n```\n\n# Layout\n\nProse.\n\n```text\n\
            error.rs   BoxError, sources()\n\
            caught/    panic, known (errors, of (other) crates),\n    \
                       failure.rs (Failure), mod (Caught)\n\
            lib.rs\n```\n";
        let layout = Layout::read(&Sources::of(&[("DESIGN.md", design)]))
            .ok()
            .unwrap();
        assert_eq!(
            layout.0,
            [
                "src/error.rs",
                "src/caught/panic.rs",
                "src/caught/known.rs",
                "src/caught/failure.rs",
                "src/caught/mod.rs",
                "src/lib.rs",
            ]
        );
    }

    #[test]
    fn the_layout_and_the_tree_name_the_same_files() {
        let sources = Sources::of(&[
            ("DESIGN.md", "# Layout\n```text\na.rs\nlib.rs\n```\n"),
            ("src/b.rs", ""),
            ("src/lib.rs", ""),
        ]);
        let layout = Layout::read(&sources).ok().unwrap();
        assert_eq!(
            layout.faults(&sources),
            [
                "src/b.rs: not listed below `# Layout` in DESIGN.md",
                "src/a.rs: listed below `# Layout` in DESIGN.md, but no such file",
            ]
        );
    }

    #[test]
    fn a_design_without_a_layout_is_a_fault() {
        let fault = |files| Layout::read(&Sources::of(files)).err().unwrap();
        assert_eq!(fault(&[]), "DESIGN.md: no such file");
        assert_eq!(
            fault(&[("DESIGN.md", "# Words\n")]),
            "DESIGN.md: no heading `# Layout`"
        );
    }
}
