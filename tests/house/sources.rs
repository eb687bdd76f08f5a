//! The files that are checked, read from the disk or written out in a test.

use std::{collections::BTreeMap, fs, path::Path};

/// Texts of files by their path, which is relative to the folder of `Cargo.toml`.
#[derive(Default)]
pub(crate) struct Sources(BTreeMap<String, String>);

/// Folders that are not the project's: build products and npm's packages.
const SKIPPED_FOLDERS: [&str; 2] = ["target", "node_modules"];

/// Files that are read in the folder of `Cargo.toml`.
#[rustfmt::skip]
const FILES: [&str; 6] = [
    "CONTRIBUTING.md", "Cargo.toml", "DESIGN.md", "README.md", "SECURITY.md", "deny.toml",
];

impl Sources {
    /// Reads the project's own files.
    pub(crate) fn of_project() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = Self::default();
        for folder in ["src", "tests", "benches", "examples", "fuzz", ".ci"] {
            sources.read_folder(root, folder);
        }
        for file in FILES {
            sources.read_file(root, file);
        }
        sources
    }

    /// Makes a tree of paths and texts.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let own = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self(files.iter().map(own).collect())
    }

    fn read_folder(&mut self, root: &Path, folder: &str) {
        let entries = fs::read_dir(root.join(folder)).unwrap_or_else(|error| {
            panic!("cannot read the folder {folder}: {error}");
        });
        for entry in entries {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{folder}/{name}");
            if entry.file_type().unwrap().is_dir() {
                if !SKIPPED_FOLDERS.contains(&name.as_str()) {
                    self.read_folder(root, &path);
                }
            } else {
                self.read_file(root, &path);
            }
        }
    }

    /// Reads `path`, unless it is absent or no text.
    fn read_file(&mut self, root: &Path, path: &str) {
        if let Ok(text) = fs::read_to_string(root.join(path)) {
            self.0.insert(path.to_owned(), text);
        }
    }

    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Returns the Rust files of `src`.
    pub(crate) fn library(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter()
            .filter(|(path, _)| path.starts_with("src/") && path.ends_with(".rs"))
    }
}
