//! A page of the guides as text: its code and its tables.

/// A page, in Markdown.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

impl Page {
    /// Returns the lines of the section with this heading.
    fn section(&self, heading: &str) -> impl Iterator<Item = &'static str> {
        let lines = self.text.lines();
        let mut lines = lines.skip_while(move |line| *line != heading);
        assert!(lines.next().is_some(), "{}: no {heading}", self.name);
        let mut is_code = false;
        lines.take_while(move |line| {
            is_code ^= line.starts_with("```");
            is_code || !line.starts_with("# ")
        })
    }

    /// Returns the first block of code in a section, without its hidden lines and its indentation.
    pub(crate) fn code(&self, heading: &str) -> Vec<&'static str> {
        let is_fence = |line: &&str| line.starts_with("```");
        let code = self.section(heading).skip_while(|line| !is_fence(line));
        let code = code.skip(1).take_while(|line| !is_fence(line));
        let is_shown = |line: &&str| !line.starts_with("# ");
        code.filter(is_shown).map(str::trim).collect()
    }

    /// Returns the rows of the first table in a section, as the texts of its cells.
    pub(crate) fn table(&self, heading: &str) -> impl Iterator<Item = [String; 3]> {
        let rows = self.section(heading).filter(|line| line.starts_with('|'));
        rows.skip(2).map(|row| {
            let cells = row.trim_matches('|').split(" | ");
            let cells: Vec<_> = cells.map(|cell| cell.trim().replace('`', "")).collect();
            cells.try_into().expect("three cells")
        })
    }
}

/// Returns the lines of a module of an example, without their indentation.
pub(crate) fn module<'a>(example: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!("pub mod {name} {{");
    let lines = example.lines().skip_while(|line| *line != begin);
    let lines = lines.skip(1).take_while(|line| *line != "}");
    lines.map(str::trim).collect()
}
