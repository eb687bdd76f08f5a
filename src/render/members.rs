//! Members of a problem document, in order.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::exception::{InvalidMember, MemberList};

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
    /// Fails if the name is one that the renderer writes by itself
    /// ([`InvalidMember::is_reserved`]), or if `value` does not serialise.
    pub fn insert(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), InvalidMember> {
        self.0.try_set(name.into(), value)
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

    /// Returns the members in order: names and values in JSON.
    #[cfg(feature = "problem_details")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter()
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
