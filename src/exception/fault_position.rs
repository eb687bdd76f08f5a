//! Position of a fault in a request, and the forms in which it is written.

use std::fmt::{self, Write};

use serde::{Serialize, Serializer, ser::SerializeSeq};

/// Part of a request that has a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestPart {
    /// The body.
    Body,
    /// A parameter in the query.
    Query,
    /// A parameter in the path.
    Path,
    /// A header.
    Header,
}

impl RequestPart {
    /// Returns FastAPI's name of the part: `body`, `query`, `path` or `header`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
            Self::Path => "path",
            Self::Header => "header",
        }
    }
}

/// Position of a fault: a part of the request, and the steps to a value in it.
///
/// `Serialize` writes FastAPI's `loc`: `["body","items",3,"price"]`. `Display` writes the position
/// for a reader.
#[derive(Clone, Debug)]
pub(crate) struct FaultPosition {
    part: RequestPart,
    steps: Vec<Step>,
    /// Characters before the fault in a text that is not JSON. FastAPI's `loc` has them as a step.
    offset: Option<usize>,
}

/// Step from a value to one inside of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// To the field of an object.
    Key(Box<str>),
    /// To the element of an array.
    Index(usize),
}

impl FaultPosition {
    /// The whole body.
    pub(super) const BODY: Self = Self {
        part: RequestPart::Body,
        steps: Vec::new(),
        offset: None,
    };

    pub(crate) fn new(part: RequestPart, steps: Vec<Step>) -> Self {
        Self {
            part,
            steps,
            offset: None,
        }
    }

    /// Returns the position in the body to which a JSON pointer leads (RFC 6901, section 3).
    ///
    /// A number in a pointer is the index in an array (section 4), unless it has a leading zero.
    pub(super) fn of_pointer(pointer: &str) -> Self {
        let tokens = match pointer.strip_prefix('/') {
            None if pointer.is_empty() => return Self::BODY,
            rest => rest.unwrap_or(pointer),
        };
        Self::new(RequestPart::Body, tokens.split('/').map(step).collect())
    }

    /// Returns the position of a parameter or a header.
    pub(super) fn of_name(part: RequestPart, name: &str) -> Self {
        Self::new(part, vec![Step::Key(name.into())])
    }

    /// Returns the position in a body that is not JSON, in characters from its beginning.
    #[cfg(feature = "serde_path_to_error")]
    pub(super) fn of_offset(offset: Option<usize>) -> Self {
        Self {
            offset,
            ..Self::BODY
        }
    }

    /// Returns the position in the body of a path in the form of google.rpc's `FieldViolation`.
    #[cfg(feature = "tonic")]
    pub(crate) fn of_path(path: &str) -> Self {
        let mut steps = Vec::new();
        for name in path.split('.').filter(|name| !name.is_empty()) {
            let (key, indices) = name.split_at(name.find('[').unwrap_or(name.len()));
            let indices: Option<Vec<_>> = indices
                .split_inclusive(']')
                .map(|index| index.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
                .collect();
            match indices {
                Some(indices) => {
                    if !key.is_empty() {
                        steps.push(Step::Key(key.into()));
                    }
                    steps.extend(indices.into_iter().map(Step::Index));
                }
                None => steps.push(Step::Key(name.into())),
            }
        }
        Self::new(RequestPart::Body, steps)
    }

    pub(crate) fn part(&self) -> RequestPart {
        self.part
    }

    /// Returns the steps as a JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.steps {
            // A `String` cannot fail.
            let _ = match step {
                Step::Key(key) => write!(pointer, "/{}", key.replace('~', "~0").replace('/', "~1")),
                Step::Index(index) => write!(pointer, "/{index}"),
            };
        }
        pointer
    }

    /// Returns the steps in the form of google.rpc's `FieldViolation`: `items[3].price`.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.steps {
            // A `String` cannot fail.
            let _ = match step {
                Step::Key(key) if path.is_empty() => write!(path, "{key}"),
                Step::Key(key) => write!(path, ".{key}"),
                Step::Index(index) => write!(path, "[{index}]"),
            };
        }
        path
    }
}

/// Reads one token of a JSON pointer.
fn step(token: &str) -> Step {
    let is_index = token == "0" || token.starts_with(|char: char| matches!(char, '1'..='9'));
    match token.parse() {
        Ok(index) if is_index => Step::Index(index),
        _ => Step::Key(token.replace("~1", "/").replace("~0", "~").into()),
    }
}

impl fmt::Display for FaultPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        match self.part {
            RequestPart::Body if path.is_empty() => f.write_str("body"),
            RequestPart::Body => f.write_str(&path),
            part if path.is_empty() => f.write_str(part.as_str()),
            RequestPart::Header => write!(f, "header {path}"),
            part => write!(f, "{} parameter {path}", part.as_str()),
        }
    }
}

impl Serialize for FaultPosition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let length = 1 + self.steps.len() + usize::from(self.offset.is_some());
        let mut position = serializer.serialize_seq(Some(length))?;
        position.serialize_element(self.part.as_str())?;
        for step in &self.steps {
            match step {
                Step::Key(key) => position.serialize_element(key)?,
                Step::Index(index) => position.serialize_element(index)?,
            }
        }
        if let Some(offset) = self.offset {
            position.serialize_element(&offset)?;
        }
        position.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_pointer_is_that_of_its_rule() {
        for (pointer, loc, path, shown) in [
            ("", r#"["body"]"#, "", "body"),
            ("/", r#"["body",""]"#, "", "body"),
            (
                "/items/3/price",
                r#"["body","items",3,"price"]"#,
                "items[3].price",
                "items[3].price",
            ),
            ("/0", r#"["body",0]"#, "[0]", "[0]"),
            ("/01", r#"["body","01"]"#, "01", "01"),
            ("/+1", r#"["body","+1"]"#, "+1", "+1"),
            (
                "/a~1b/m~0n",
                r#"["body","a/b","m~n"]"#,
                "a/b.m~n",
                "a/b.m~n",
            ),
            ("/~01", r#"["body","~1"]"#, "~1", "~1"),
            (
                "/99999999999999999999999",
                r#"["body","99999999999999999999999"]"#,
                "99999999999999999999999",
                "99999999999999999999999",
            ),
        ] {
            let position = FaultPosition::of_pointer(pointer);
            assert_eq!(serde_json::to_string(&position).unwrap(), loc, "{pointer}");
            assert_eq!(position.path(), path, "{pointer}");
            assert_eq!(position.to_string(), shown, "{pointer}");
            assert_eq!(position.pointer(), pointer);
        }
    }

    #[test]
    fn a_pointer_without_its_first_slash_is_read_as_if_it_had_one() {
        assert_eq!(FaultPosition::of_pointer("items/3").pointer(), "/items/3");
    }

    #[cfg(feature = "tonic")]
    #[test]
    fn a_path_of_google_rpc_is_read() {
        for (path, pointer) in [
            ("", ""),
            ("full_name", "/full_name"),
            ("items[3].price", "/items/3/price"),
            ("[0][1].a", "/0/1/a"),
            ("a[x].b", "/a[x]/b"),
            ("a[1", "/a[1"),
            ("a[-1]", "/a[-1]"),
            ("a..b.", "/a/b"),
        ] {
            assert_eq!(FaultPosition::of_path(path).pointer(), pointer, "{path}");
        }
    }

    #[test]
    fn a_name_is_one_step_whatever_it_contains() {
        let position = FaultPosition::of_name(RequestPart::Query, "a/0");
        assert_eq!(
            serde_json::to_string(&position).unwrap(),
            r#"["query","a/0"]"#
        );
        assert_eq!(position.pointer(), "/a~10");
        assert_eq!(position.to_string(), "query parameter a/0");
    }
}
