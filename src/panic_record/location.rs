//! A place in the code.

use std::{fmt, panic::Location};

/// Place in the code: a file, a line and a column.
///
/// It is what [`Location`] is, for places of which no `&'static Location` exists. Displays as
/// `src/main.rs:7:5`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceLocation {
    file: &'static str,
    line: u32,
    column: u32,
}

impl SourceLocation {
    pub(super) fn new(file: &'static str, line: u32, column: u32) -> Self {
        Self { file, line, column }
    }

    /// Returns the path of the file, as the compiler was given it.
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// Returns the line, of which the first is 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Returns the column, of which the first is 1.
    pub fn column(&self) -> u32 {
        self.column
    }
}

impl From<&'static Location<'static>> for SourceLocation {
    fn from(location: &'static Location<'static>) -> Self {
        Self::new(location.file(), location.line(), location.column())
    }
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Debug for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
