//! Differences between expected and actual results, over all rows of a table.

/// Rows of a table whose result is not the expected one. A test reports all of them at its end.
#[derive(Default)]
#[must_use]
pub struct Differences(Vec<String>);

impl Differences {
    /// Records `case` if its result `got` is not `expected`.
    pub fn note(&mut self, case: &str, got: &str, expected: &str) {
        if got != expected {
            let difference = format!("{case}:\n       got {got}\n  expected {expected}");
            self.0.push(difference);
        }
    }

    /// Panics with all recorded differences, if there are any.
    pub fn assert_none(self) {
        let Self(differences) = self;
        assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
    }
}
