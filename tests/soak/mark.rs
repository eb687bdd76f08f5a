//! Marks: the number of a request, in every text that belongs to it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Returns a number that no other request of this process has.
pub fn next_id() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Relaxed) + 1
}

/// Returns the mark of a request. Paths, headers, close reasons and gRPC messages hold it as it is.
pub fn mark(id: u64) -> String {
    format!("~{id}~")
}

/// Returns the number in each mark of a text.
pub fn ids(text: &str) -> impl Iterator<Item = u64> {
    text.split('~').filter_map(|part| part.parse().ok())
}
