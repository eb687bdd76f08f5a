//! Extension members of a problem document, in the order in which they were added.

use std::{borrow::Cow, error::Error, fmt};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// Names that an extension member cannot have: those of the members that RFC 9457, section 3.1
/// defines, and those to which this crate gives a meaning.
const RESERVED: [&str; 9] = [
    "type", "title", "status", "detail", "instance", "code", "errors", "context", "error_id",
];

/// Members in order. No name occurs twice.
#[derive(Clone, Default)]
pub(crate) struct MemberList(Vec<(Cow<'static, str>, Box<RawValue>)>);

impl MemberList {
    /// The list of an exception without members.
    pub(super) const NONE: &'static Self = &Self(Vec::new());

    /// Sets a member. If the name exists already, its value is replaced in its place.
    pub(crate) fn set(&mut self, name: impl Into<Cow<'static, str>>, value: Box<RawValue>) {
        let name = name.into();
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets an extension member to a value as JSON.
    pub(crate) fn try_set(
        &mut self,
        name: Cow<'static, str>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), InvalidMember> {
        if RESERVED.contains(&&*name) {
            return Err(InvalidMember { name, source: None });
        }
        match to_raw_value(value) {
            Ok(value) => {
                self.set(name, value);
                Ok(())
            }
            Err(error) => Err(InvalidMember {
                name,
                source: Some(error),
            }),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&RawValue> {
        let (_, value) = self.iter().find(|(other, _)| *other == name)?;
        Some(value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// Shows the names only.
impl fmt::Debug for MemberList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

/// Error of a member that an exception or a problem document cannot have. It was not set.
///
/// ```
/// use tower_exception::HttpException;
///
/// let error = HttpException::gone("sold out").try_with_member("status", &404).unwrap_err();
/// assert!(error.is_reserved());
/// assert_eq!(error.to_string(), "the member `status` is reserved");
/// ```
#[derive(Debug)]
pub struct InvalidMember {
    name: Cow<'static, str>,
    /// `None` if the name is reserved.
    source: Option<serde_json::Error>,
}

impl InvalidMember {
    /// Returns the name of the member.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the name is that of another part of an exception or of a problem document:
    /// `type`, `title`, `status`, `detail`, `instance`, `code`, `errors`, `context` or `error_id`.
    ///
    /// If not, the `Serialize` of the value has failed, or the value contains a map whose keys are
    /// no text.
    pub fn is_reserved(&self) -> bool {
        self.source.is_none()
    }
}

impl fmt::Display for InvalidMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.source {
            Some(_) => "does not serialise as JSON",
            None => "is reserved",
        };
        write!(f, "the member `{}` {problem}", self.name)
    }
}

impl Error for InvalidMember {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}
