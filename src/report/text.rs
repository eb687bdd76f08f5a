//! The text of a failure with its sources.
//!
//! The `Display` of an error is user code, which may panic. Such a panic must not cost the
//! response.

use std::{
    error::Error,
    fmt::{self, Write},
};

use crate::{caught::failure::Failure, unwind::ignore_panic};

/// A failure with all of its sources: for the log, never for the client.
pub(super) struct WithSources<'a>(pub(super) &'a Failure);

impl fmt::Display for WithSources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(self.0.whole_chain()))
    }
}

/// Returns the texts of a chain of errors, the outermost error first. A text that the one before it
/// ends or begins with is not repeated.
fn joined<'a>(errors: impl Iterator<Item = &'a (dyn Error + 'static)>) -> String {
    let mut all = String::new();
    let mut last = String::new();
    for error in errors {
        let mut text = String::new();
        // `Display` is user code. If it fails or panics, the others still have a text.
        ignore_panic(|| _ = write!(text, "{error}"));
        if ends_with_text(&all, &text) {
            continue;
        }
        match text.strip_prefix(&last) {
            Some(rest) if rest.starts_with(": ") && all.ends_with(&last) => all.push_str(rest),
            _ => {
                if !all.is_empty() {
                    all.push_str(": ");
                }
                all.push_str(&text);
            }
        }
        last = text;
    }
    all
}

/// Returns whether `all` ends with `text`, which does not begin inside of a word there.
fn ends_with_text(all: &str, text: &str) -> bool {
    match all.strip_suffix(text) {
        Some(before) => text.is_empty() || !before.ends_with(char::is_alphanumeric),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::sources;

    /// An error of these texts: its own, that of its source, and so on.
    #[derive(Debug)]
    struct Texts(&'static str, Option<Box<Texts>>);

    impl Texts {
        fn of(texts: &[&'static str]) -> Option<Box<Self>> {
            let (text, rest) = texts.split_first()?;
            Some(Box::new(Self(text, Self::of(rest))))
        }
    }

    impl fmt::Display for Texts {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {
                "panics" => panic!("no text"),
                "fails" => {
                    f.write_str("half")?;
                    Err(fmt::Error)
                }
                text => f.write_str(text),
            }
        }
    }

    impl Error for Texts {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            match &self.1 {
                Some(source) => Some(&**source),
                None => None,
            }
        }
    }

    #[test]
    fn no_text_is_repeated() {
        for (texts, expected) in [
            (&["disk gone", "disk gone", "disk gone"][..], "disk gone"),
            (
                &["save: disk gone", "disk gone", "no 5"],
                "save: disk gone: no 5",
            ),
            (&["a: b: c", "b: c", "c"], "a: b: c"),
            (&["a (b)", "b"], "a (b): b"),
            (&["disk gone", "disk gone: no 5", "no 5"], "disk gone: no 5"),
            (
                &["save", "disk gone", "disk gone: no 5"],
                "save: disk gone: no 5",
            ),
            (&["rotten", "ten"], "rotten: ten"),
            (&["a", "", "b"], "a: b"),
            (&["", "b"], "b"),
            (&["a", "b", "a"], "a: b: a"),
            (&["a", "panics", "fails", "b"], "a: half: b"),
        ] {
            let error = Texts::of(texts).unwrap();
            assert_eq!(joined(sources(&*error)), expected, "{texts:?}");
        }
    }
}
