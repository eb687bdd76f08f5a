//! Additions to the detail of an exception: type, title, code, members, the time to wait, faults.

use std::{borrow::Cow, error::Error, fmt, time::Duration};

use serde::Serialize;
use serde_json::value::to_raw_value;

use super::{
    faults::Faults,
    members::{MemberList, is_reserved},
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
    ) -> Result<(), MemberError> {
        if is_reserved(&name) {
            return Err(MemberError::Reserved(name.into_owned()));
        }
        let value = to_raw_value(value).map_err(MemberError::Json)?;
        self.members.set(name, value);
        Ok(())
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

/// Error of [`try_with_member`](crate::HttpException::try_with_member): the member was not set.
#[derive(Debug)]
#[non_exhaustive]
pub enum MemberError {
    /// The name is that of another part of the exception, or of a part of a problem document that
    /// the renderer sets: `type`, `title`, `status`, `detail`, `instance`, `code`, `errors`.
    Reserved(String),
    /// The `Serialize` of the value failed, or the value contains a map whose keys are not text.
    Json(serde_json::Error),
}

impl fmt::Display for MemberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved(name) => write!(f, "the name `{name}` is reserved"),
            Self::Json(_) => f.write_str("the value of the member is not JSON"),
        }
    }
}

impl Error for MemberError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Reserved(_) => None,
            Self::Json(error) => Some(error),
        }
    }
}
