//! The limit of a storm: at most so many lines in so much time, for each kind and place of failure.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hash},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Most kinds and places that are counted apart: 64 KiB of memory at most. All others share one
/// count.
const MAX_WINDOWS: usize = 1024;

/// Limit of the lines of each kind and place.
pub(crate) struct LogLimit {
    lines: u32,
    per: Duration,
    hasher: RandomState,
    windows: Mutex<Windows>,
}

#[derive(Default)]
struct Windows {
    of: HashMap<u64, Window>,
    /// The window of all kinds and places for which there is no room.
    shared: Option<Window>,
    /// The moment at which the next window is over, if no room was found before.
    next_end: Option<Instant>,
    /// Number of failures without a line whose windows were removed.
    forgotten: u64,
}

/// The lines of one kind and place since a moment.
struct Window {
    start: Instant,
    lines: u32,
    left_out: u64,
}

impl LogLimit {
    /// Creates a limit of at least one line.
    pub(crate) fn new(lines: u32, per: Duration) -> Self {
        Self {
            lines: lines.max(1),
            per,
            hasher: RandomState::new(),
            windows: Mutex::default(),
        }
    }

    /// Returns the number of failures of this kind and place that had no line since the last line,
    /// or `None` if this one has no line either.
    ///
    /// The kind is compared by its hash: two kinds share a count by an accident of 2^-64.
    pub(super) fn admit(&self, kind: impl Hash, now: Instant) -> Option<u64> {
        let kind = self.hasher.hash_one(kind);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.of.len() >= MAX_WINDOWS && !windows.of.contains_key(&kind) {
            windows.forget_old(self.per, now);
        }
        let has_room = windows.of.len() < MAX_WINDOWS || windows.of.contains_key(&kind);
        let forgotten = windows.forgotten;
        let new = || Window::new(now);
        let window = match has_room {
            true => windows.of.entry(kind).or_insert_with(new),
            false => windows.shared.get_or_insert_with(new),
        };
        let left_out = window.admit(self.lines, self.per, now)?;
        windows.forgotten = 0;
        Some(left_out.saturating_add(forgotten))
    }
}

impl Windows {
    /// Removes the windows that are over. The next line has their count.
    ///
    /// If all windows are in use, a storm of new kinds does not search them for each failure.
    fn forget_old(&mut self, per: Duration, now: Instant) {
        if self.next_end.is_some_and(|end| now < end) {
            return;
        }
        let forgotten = &mut self.forgotten;
        self.of.retain(|_, window| {
            let is_over = window.is_over(per, now);
            if is_over {
                *forgotten = forgotten.saturating_add(window.left_out);
            }
            !is_over
        });
        let first = self.of.values().map(|window| window.start).min();
        self.next_end = first.and_then(|start| start.checked_add(per));
    }
}

impl Window {
    fn new(start: Instant) -> Self {
        Self {
            start,
            lines: 0,
            left_out: 0,
        }
    }

    fn is_over(&self, per: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.start) >= per
    }

    /// Counts a failure, and returns the number of those without a line before it if it has one.
    fn admit(&mut self, lines: u32, per: Duration, now: Instant) -> Option<u64> {
        if self.is_over(per, now) {
            self.start = now;
            self.lines = 0;
        }
        if self.lines >= lines {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_line_after_a_pause_has_the_number_that_was_left_out() {
        let limit = LogLimit::new(2, SECOND);
        let start = Instant::now();
        let admitted: Vec<_> = (0..5).map(|_| limit.admit("a", start)).collect();
        assert_eq!(admitted, [Some(0), Some(0), None, None, None]);
        assert_eq!(limit.admit("a", start + SECOND / 2), None);
        assert_eq!(limit.admit("a", start + SECOND), Some(4));
        assert_eq!(limit.admit("a", start + SECOND), Some(0));
        assert_eq!(limit.admit("a", start + SECOND), None);
    }

    #[test]
    fn each_kind_has_lines_of_its_own() {
        let limit = LogLimit::new(1, SECOND);
        let start = Instant::now();
        for kind in ["a", "b"] {
            assert_eq!(limit.admit(kind, start), Some(0));
            assert_eq!(limit.admit(kind, start), None);
        }
    }

    #[test]
    fn a_limit_of_no_lines_is_one_line() {
        let limit = LogLimit::new(0, SECOND);
        assert_eq!(limit.admit("a", Instant::now()), Some(0));
    }

    #[test]
    fn the_memory_is_bounded_and_no_failure_is_lost() {
        let limit = LogLimit::new(1, SECOND);
        let start = Instant::now();
        let failures = 2 * MAX_WINDOWS as u64;
        let admitted = (0..failures).filter_map(|kind| limit.admit(kind, start));
        // Each has a line, as long as there is room, and the first one of all others.
        assert_eq!(admitted.count(), MAX_WINDOWS + 1);
        for kind in 0..failures {
            assert_eq!(limit.admit(kind, start), None);
        }
        let len = || limit.windows.lock().unwrap().of.len();
        assert_eq!(len(), MAX_WINDOWS);
        // No window is searched before the first one is over.
        assert_eq!(limit.windows.lock().unwrap().next_end, Some(start + SECOND));
        // The next new kind finds room, and its line has the count of those that it replaces.
        let later = start + SECOND;
        assert_eq!(limit.admit("new", later), Some(MAX_WINDOWS as u64));
        assert_eq!(len(), 1);
    }
}
