//! Additions to the detail of an exception: type, title, code, members, the time to wait, faults.

use std::{borrow::Cow, fmt, time::Duration};

use serde::Serialize;

use super::{
    faults::Faults,
    members::{InvalidMember, MemberList},
};

/// Everything that an exception says in addition to its detail.
#[derive(Clone, Default)]
pub(crate) struct Supplement {
    pub(crate) problem_type: Option<Cow<'static, str>>,
    pub(crate) title: Option<Cow<'static, str>>,
    pub(crate) code: Option<Cow<'static, str>>,
    pub(crate) members: MemberList,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) faults: Faults,
    /// The domain of a code that another server has set. An own code has the domain of the layer.
    #[cfg(feature = "tonic")]
    pub(crate) domain: Option<Box<str>>,
    /// All of it was read from the `tonic::Status` of which the exception is a conversion.
    #[cfg(feature = "tonic")]
    pub(crate) is_converted: bool,
}

impl Supplement {
    /// Sets a member. If the name exists already, its value is replaced.
    pub(super) fn set_member(
        &mut self,
        name: Cow<'static, str>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), InvalidMember> {
        self.members.try_set(name, value)
    }

    /// Adds to the `Debug` of the exception what is set. The members have their names only.
    pub(super) fn debug_fields(&self, shown: &mut fmt::DebugStruct<'_, '_>) {
        let texts = [
            ("code", &self.code),
            ("type", &self.problem_type),
            ("title", &self.title),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                shown.field(name, text);
            }
        }
        if !self.members.is_empty() {
            shown.field("members", &self.members);
        }
        if let Some(retry_after) = self.retry_after {
            shown.field("retry_after", &retry_after);
        }
        if !self.faults.as_slice().is_empty() {
            shown.field("faults", &self.faults.as_slice());
        }
    }
}
