//! Source files: their full path, and the lines around a place.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::SystemTime,
};

use crate::panic_record::SourceLocation;

/// Number of lines before a place and after it.
const LINES_AROUND: usize = 6;

/// Longest file of which lines are shown: longer ones are generated.
const MAX_FILE_BYTES: u64 = 2 * 1024 * 1024;

/// Longest part of a line that is shown, in characters.
const MAX_LINE_CHARS: usize = 240;

/// A line of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CodeLocation {
    /// As the compiler has it.
    pub(super) file: String,
    /// `None` if there is no such file on this machine.
    pub(super) path: Option<PathBuf>,
    pub(super) line: u32,
    pub(super) column: u32,
}

/// Lines of a source file around a place.
pub(super) struct Excerpt {
    pub(super) first: u32,
    pub(super) lines: Vec<String>,
    /// Whether the file was changed after the program was built.
    pub(super) is_changed: bool,
}

impl CodeLocation {
    pub(super) fn new(file: &str, line: u32, column: u32) -> Self {
        Self {
            path: find(Path::new(file)),
            file: file.strip_prefix("./").unwrap_or(file).to_owned(),
            line,
            column,
        }
    }

    pub(super) fn of(location: SourceLocation) -> Self {
        Self::new(location.file(), location.line(), location.column())
    }

    /// Reads the lines around the place.
    pub(super) fn excerpt(&self) -> Option<Excerpt> {
        let path = self.path.as_deref()?;
        let metadata = fs::metadata(path).ok()?;
        if metadata.len() > MAX_FILE_BYTES || !metadata.is_file() {
            return None;
        }
        let text = fs::read_to_string(path).ok()?;
        let line = usize::try_from(self.line).ok()?.checked_sub(1)?;
        let first = line.saturating_sub(LINES_AROUND);
        let lines = text
            .lines()
            .skip(first)
            .take(line - first + 1 + LINES_AROUND);
        let lines: Vec<String> = lines.map(shortened).collect();
        let is_changed = match (metadata.modified(), built_at()) {
            (Ok(modified), Some(built)) => modified > built,
            _ => false,
        };
        (lines.len() > line - first).then_some(Excerpt {
            first: u32::try_from(first).ok()? + 1,
            lines,
            is_changed,
        })
    }
}

/// Shows as `src/main.rs:12:5`.
impl std::fmt::Display for CodeLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        match self.column {
            0 => Ok(()),
            column => write!(f, ":{column}"),
        }
    }
}

fn shortened(line: &str) -> String {
    let line = line.replace('\t', "    ");
    match line.char_indices().nth(MAX_LINE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Finds a file whose path is relative to the root of the workspace, which cargo does not say.
fn find(file: &Path) -> Option<PathBuf> {
    if file.is_absolute() {
        return file.is_file().then(|| file.to_owned());
    }
    roots()
        .iter()
        .map(|root| root.join(file))
        .find(|path| path.is_file())
        .map(|path| {
            // Without `./` and `..`, which an editor may not understand.
            path.components().collect()
        })
}

/// Returns the folders that may be the root of the workspace: the current one, that of the package
/// which cargo runs, that of the program, and those around them.
fn roots() -> &'static [PathBuf] {
    static ROOTS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let starts = [env::current_dir().ok(), package, env::current_exe().ok()];
        let mut roots: Vec<PathBuf> = Vec::new();
        for start in starts.iter().flatten() {
            for root in start.ancestors() {
                if !roots.iter().any(|known| known == root) {
                    roots.push(root.to_owned());
                }
            }
        }
        roots
    })
}

fn built_at() -> Option<SystemTime> {
    static BUILT: OnceLock<Option<SystemTime>> = OnceLock::new();
    *BUILT.get_or_init(|| fs::metadata(env::current_exe().ok()?).ok()?.modified().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_around_a_place_are_read() {
        let here = CodeLocation::new(file!(), line!(), 5);
        let excerpt = here.excerpt().unwrap();
        assert_eq!(excerpt.lines.len(), 2 * LINES_AROUND + 1);
        let index = usize::try_from(here.line - excerpt.first).unwrap();
        assert!(excerpt.lines[index].contains("CodeLocation::new(file!(), line!(), 5)"));
        assert!(here.path.unwrap().is_absolute());
    }

    #[test]
    fn the_first_line_has_none_before_it() {
        let excerpt = CodeLocation::new(file!(), 1, 1).excerpt().unwrap();
        assert_eq!((excerpt.first, excerpt.lines.len()), (1, 1 + LINES_AROUND));
    }

    #[test]
    fn an_absent_file_and_an_absent_line_have_no_lines() {
        assert!(
            CodeLocation::new("src/nowhere.rs", 1, 1)
                .excerpt()
                .is_none()
        );
        for line in [0, 1_000_000, u32::MAX] {
            assert!(CodeLocation::new(file!(), line, 1).excerpt().is_none());
        }
    }
}
