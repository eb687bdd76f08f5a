//! The faults of an exception, and the detail that lists them.

use std::{fmt, sync::OnceLock};

use super::{detail::Detail, fault::Fault};

/// Faults in the order in which they were added.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    list: Vec<Fault>,
    /// FastAPI's list. It is written once, and only if it is asked for: an exception that a loop
    /// adds a thousand faults to is not written a thousand times.
    detail: OnceLock<Detail>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.list.push(fault);
        self.detail = OnceLock::new();
    }

    pub(super) fn as_slice(&self) -> &[Fault] {
        &self.list
    }

    /// Returns the list as a detail, or `None` if it is empty.
    pub(super) fn detail(&self) -> Option<&Detail> {
        if self.list.is_empty() {
            return None;
        }
        // A fault holds text, numbers and JSON, so that it always serialises.
        let detail = || Detail::json(&self.list).unwrap_or_default();
        Some(self.detail.get_or_init(detail))
    }
}

/// Writes the faults for a reader: `items[3].price: must be positive; query parameter page: ...`.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.list.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}
