//! The recorded messages, the crate's own texts, and the guide to messages of other traits.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Files whose attributes give the compiler the texts of this crate.
const SOURCES: [&str; 5] = [
    "src/caught/returned.rs",
    "src/exception/or_exception.rs",
    "src/handler",
    "src/raise/any.rs",
    "src/error",
];

/// A program that does not compile.
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) recorded: String,
}

/// Texts of an attribute `diagnostic::on_unimplemented`.
#[derive(Debug)]
pub(crate) struct OwnMessage {
    /// The message, with `..` in place of the type.
    pub(crate) pattern: String,
    notes: Vec<String>,
}

/// A row of the guide.
pub(crate) struct Row {
    pub(crate) id: String,
    /// The first line of the message, and parts of the rest that distinguish it.
    parts: Vec<String>,
}

impl Case {
    /// Reads the cases of a folder, each of which has its message recorded.
    pub(crate) fn read(folder: &Path) -> Vec<Self> {
        let paths = files(folder);
        let with = |extension: &str| -> BTreeSet<PathBuf> {
            let named = |path: &&PathBuf| path.extension().is_some_and(|it| it == extension);
            let paths = paths.iter().filter(named);
            paths.map(|path| path.with_extension("")).collect()
        };
        assert_eq!(with("rs"), with("stderr"), "one message for each case");
        let id = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let case = |path: PathBuf| Self {
            id: id(&path),
            recorded: fs::read_to_string(path.with_extension("stderr")).unwrap(),
        };
        with("rs").into_iter().map(case).collect()
    }

    /// Returns the first line without the `error[..]` before it.
    fn message(&self) -> &str {
        let line = self.recorded.lines().next().unwrap();
        line.split_once(": ").unwrap().1
    }

    /// Returns the attribute that the message is of.
    pub(crate) fn own<'a>(&self, own: &'a [OwnMessage]) -> Option<&'a OwnMessage> {
        own.iter().find(|it| matches(&it.pattern, self.message()))
    }

    /// Says whether the message has a note of the attribute.
    pub(crate) fn has_note_of(&self, own: &OwnMessage) -> bool {
        let is_shown = |note: &String| self.recorded.contains(&format!("= note: {note}"));
        !own.notes.is_empty() && own.notes.iter().all(is_shown)
    }

    /// Says whether a row describes the message.
    pub(crate) fn is_described_by(&self, row: &Row) -> bool {
        let (first, rest) = row.parts.split_first().unwrap();
        matches(first, self.message()) && rest.iter().all(|part| self.recorded.contains(part))
    }
}

impl OwnMessage {
    /// Reads the attributes of the crate at `root`.
    pub(crate) fn read(root: &Path) -> Vec<Self> {
        let paths = SOURCES.map(|path| root.join(path));
        let files = paths.iter().flat_map(|path| match path.is_dir() {
            true => files(path),
            false => vec![path.clone()],
        });
        let texts: Vec<_> = files
            .map(|path| fs::read_to_string(path).unwrap())
            .collect();
        let attributes = texts.iter().flat_map(|text| {
            let attributes = text.split("#[diagnostic::on_unimplemented(").skip(1);
            attributes.map(|rest| rest.split_once(")]").unwrap().0)
        });
        attributes.map(Self::parse).collect()
    }

    fn parse(attribute: &str) -> Self {
        let texts = |key: &str| -> Vec<String> {
            let start = format!("{key} = \"");
            let lines = attribute.lines().map(str::trim);
            let texts = lines.filter_map(|line| line.strip_prefix(&start));
            let texts = texts.map(|text| text.trim_end_matches(',').strip_suffix('"').unwrap());
            texts.map(unescape).collect()
        };
        Self {
            pattern: texts("message")[0].replace("{Self}", ".."),
            notes: texts("note"),
        }
    }
}

impl Row {
    /// Reads the rows of the guide of the crate at `root`.
    pub(crate) fn read(root: &Path) -> Vec<Self> {
        let guide = fs::read_to_string(root.join("src/docs/messages.md")).unwrap();
        let rows = guide.lines().filter(|line| line.starts_with("| ``"));
        rows.map(Self::parse).collect()
    }

    fn parse(row: &str) -> Self {
        let row = row.replace("\\|", "\0");
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [message, _reason, _instead, id] = cells[..] else {
            panic!("a row has four cells: {row}");
        };
        let parts = message.split("``").skip(1).step_by(2);
        Self {
            id: id.trim_matches('`').to_owned(),
            parts: parts.map(|part| part.trim().replace('\0', "|")).collect(),
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).collect()
}

/// Resolves the escapes of a string literal, and the doubled braces of a format.
fn unescape(text: &str) -> String {
    let text = text.replace("\\\"", "\"");
    text.replace("{{", "{").replace("}}", "}")
}

/// Says whether the text is the pattern, in which each `..` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, pattern)) = pattern.split_once("..") else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(start) else {
        return false;
    };
    let mut rests = text.char_indices().map(|(at, _)| &text[at..]);
    matches(pattern, "") || rests.any(|rest| matches(pattern, rest))
}
