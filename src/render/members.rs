//! Members of a problem document, in order.

use std::{borrow::Cow, error::Error, fmt};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::exception::{MemberList, is_reserved};

/// Members of a problem document, in the order in which they are sent.
///
/// [`Problem::enrich`](super::Problem::enrich) adds extension members to it.
#[derive(Clone, Debug, Default)]
pub struct Members(MemberList);

impl Members {
    /// Sets an extension member. A member of this name is replaced.
    ///
    /// # Errors
    ///
    /// Fails if the name is one that the renderer writes by itself: `type`, `title`, `status`,
    /// `detail`, `instance`, `code`, `errors` or `context`. Fails if `value` does not serialise.
    pub fn insert(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), InvalidMember> {
        let name = name.into();
        // The renderer writes those by itself, and `context` too.
        if is_reserved(&name) || name == "context" {
            return Err(InvalidMember { name, source: None });
        }
        match to_raw_value(value) {
            Ok(value) => {
                self.0.set(name, value);
                Ok(())
            }
            Err(error) => Err(InvalidMember {
                name,
                source: Some(error),
            }),
        }
    }

    /// Returns the value of a member, in JSON.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name)
    }

    /// Sets a member of any name to JSON.
    pub(super) fn set(&mut self, name: impl Into<Cow<'static, str>>, value: Box<RawValue>) {
        self.0.set(name, value);
    }

    /// Sets a member of any name to a value that always serialises: texts and numbers.
    pub(super) fn set_plain(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) {
        if let Ok(value) = to_raw_value(value) {
            self.set(name, value);
        }
    }

    /// Writes the object.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = vec![b'{'];
        for (number, (name, value)) in self.0.iter().enumerate() {
            if number > 0 {
                json.push(b',');
            }
            // Neither a `str` nor a `Vec` can fail.
            let _ = serde_json::to_writer(&mut json, name);
            json.push(b':');
            json.extend_from_slice(value.get().as_bytes());
        }
        json.push(b'}');
        json
    }
}

/// Error of a member that a problem document cannot have.
///
/// ```
/// use tower_exception::render::Members;
///
/// let error = Members::default().insert("status", &404).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the member `status` is reserved: the renderer of problem documents writes it",
/// );
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
}

impl fmt::Display for InvalidMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the member `{}` ", self.name)?;
        f.write_str(match self.source {
            Some(_) => "does not serialise as JSON",
            None => "is reserved: the renderer of problem documents writes it",
        })
    }
}

impl Error for InvalidMember {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}
