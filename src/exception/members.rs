//! Extension members of a problem document, in the order in which they were added.

use std::{borrow::Cow, fmt};

use serde_json::value::RawValue;

/// Names that an extension member cannot have: those of the members that RFC 9457, section 3.1
/// defines, and two that this crate gives a meaning.
const RESERVED: [&str; 7] = [
    "type", "title", "status", "detail", "instance", "code", "errors",
];

/// Returns whether an extension member cannot have this name.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

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
