//! The records of panics that nothing has taken yet.
//!
//! The hook sees a payload before it is boxed, so no address leads from a record to the payload.
//! The record of a payload is found by all that the two have in common:
//!
//! 1. *The type of the payload*, and, for a text, the text itself and its address. A literal stays
//!    where it is. The buffer of a `String` moves into the payload.
//! 2. *The unwinding.* A payload that unwinds into a layer has panicked on this thread, in this
//!    tokio task. That of a `JoinError` has panicked in the task of which the error tells.
//!
//! A panic that happened during a poll no longer unwinds after the poll has returned: user code has
//! swallowed it. Nor does any other panic of the thread after a layer has received a payload.
//!
//! A payload may also have been stored by user code, and unwind a second time, for which no hook
//! runs. So if several records fit that are of different places, the payload has none. The text of
//! a `String` at the same address fits, wherever it has panicked: that is how a task's payload is
//! found after `resume_unwind`.

use std::{
    any::Any,
    backtrace::Backtrace,
    cell::Cell,
    collections::VecDeque,
    mem,
    panic::PanicHookInfo,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

#[cfg(feature = "tokio")]
use super::key::TaskId;
use super::{
    PanicRecord, SharedRecord, SourceLocation,
    key::{Panicker, PayloadKey},
};

/// Maximum number of records: more than the panics that unwind at one time, on all threads.
const MAX_RECORDS: usize = 128;

/// Longest time for which a record may wait: that of a task which is awaited long after its panic.
const MAX_AGE: Duration = Duration::from_secs(60);

/// Longest time from a panic to a destructor that it runs. Only for destructors, which cannot see
/// the payload.
#[cfg(feature = "websocket")]
const MAX_UNWINDING: Duration = Duration::from_secs(1);

/// Whether there may be a record. Otherwise nothing is looked up.
static HAS_RECORDS: AtomicBool = AtomicBool::new(false);

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    entries: VecDeque::new(),
    files: Vec::new(),
});

thread_local! {
    /// Whether this thread may have a panic that still unwinds.
    static MAY_UNWIND: Cell<bool> = const { Cell::new(false) };

    /// Whether this thread may have a panic that was not printed, and that no layer has caught yet.
    static HAS_SILENT: Cell<bool> = const { Cell::new(false) };
}

struct Registry {
    /// The latest panic is the last entry.
    entries: VecDeque<Entry>,
    /// Each file that has panicked, once. A `Location` of the hook does not outlive the hook.
    files: Vec<&'static str>,
}

struct Entry {
    record: SharedRecord,
    key: PayloadKey,
    by: Panicker,
    at: Instant,
    /// Whether nothing was printed, because a layer was expected to report the panic.
    is_silent: bool,
    /// Whether the panic may still unwind.
    may_unwind: bool,
    /// Whether a WebSocket was closed for the panic.
    is_reported: bool,
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records a panic of this thread, in its hook.
pub(crate) fn push(info: &PanicHookInfo<'_>, with_backtrace: bool, is_silent: bool) {
    let Some(location) = info.location() else {
        return;
    };
    let key = PayloadKey::of(info.payload());
    let by = Panicker::current();
    let thread = thread::current().name().map(Into::into);
    let backtrace = with_backtrace.then(Backtrace::force_capture);
    let mut registry = registry();
    let file = registry.file(location.file());
    let record = Arc::new(PanicRecord {
        location: SourceLocation::new(file, location.line(), location.column()),
        thread,
        backtrace,
        text: key.text.as_ref().map(|(_, text)| text.clone()),
    });
    let entry = Entry {
        record,
        key,
        by,
        at: Instant::now(),
        is_silent,
        may_unwind: true,
        is_reported: false,
    };
    let old = registry.expire(MAX_RECORDS - 1);
    registry.entries.push_back(entry);
    HAS_RECORDS.store(true, Relaxed);
    drop(registry);
    MAY_UNWIND.set(true);
    if is_silent {
        HAS_SILENT.set(true);
    }
    print_silent(&old);
}

fn print_silent(entries: &[Entry]) {
    let silent = entries.iter().filter(|it| it.is_silent);
    silent.for_each(|it| it.record.print());
}

impl Registry {
    /// Takes the entries that are too old, and those that are more than `max`.
    fn expire(&mut self, max: usize) -> Vec<Entry> {
        let latest = self.entries.iter().rev().take(max);
        let kept = latest.take_while(|it| it.at.elapsed() < MAX_AGE).count();
        let old = self.entries.len() - kept;
        self.entries.drain(..old).collect()
    }

    fn file(&mut self, file: &str) -> &'static str {
        if let Some(known) = self.files.iter().find(|it| **it == file) {
            return known;
        }
        let file: &'static str = String::from(file).leak();
        self.files.push(file);
        file
    }

    /// Returns the index of the latest entry that `fits`.
    fn latest(&self, fits: impl Fn(&Entry) -> bool) -> Option<usize> {
        self.entries.iter().rposition(fits)
    }

    /// Takes the entry at `index`, if none of those that could be meant is of another place.
    fn take(&mut self, index: usize, could_be: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let entry = self.entries.remove(index)?;
        let location = entry.record.location;
        let is_other =
            |it: &Entry| could_be(it) && !it.is_reported && it.record.location != location;
        (!self.entries.iter().any(is_other)).then_some(entry)
    }
}

/// Takes the record of a payload that has unwound to here.
///
/// The panics of this thread that were swallowed before are printed now, if they were not.
pub(crate) fn take(payload: &(dyn Any + Send)) -> Option<SharedRecord> {
    if !HAS_RECORDS.load(Relaxed) {
        return None;
    }
    let (key, here) = (PayloadKey::of(payload), Panicker::current());
    let mut registry = registry();
    let old = registry.expire(MAX_RECORDS);
    let fits = |it: &Entry| it.key == key;
    let index = registry
        .latest(|it| fits(it) && it.by == here && it.may_unwind)
        .or_else(|| {
            let elsewhere = registry.latest(fits);
            elsewhere.filter(|_| key.is_formatted())
        });
    let taken = index.and_then(|index| registry.take(index, fits));
    HAS_RECORDS.store(!registry.entries.is_empty(), Relaxed);
    drop(registry);
    print_silent(&old);
    end_unwinding();
    Some(taken?.record)
}

/// Takes the record of the payload with which a task has ended.
#[cfg(feature = "tokio")]
pub(crate) fn take_of_task(payload: &(dyn Any + Send), task: TaskId) -> Option<SharedRecord> {
    if !HAS_RECORDS.load(Relaxed) {
        return None;
    }
    let key = PayloadKey::of(payload);
    let mut registry = registry();
    let old = registry.expire(MAX_RECORDS);
    let fits = |it: &Entry| it.key == key && it.by.task == Some(task);
    let index = registry.latest(fits);
    let taken = index.and_then(|index| registry.take(index, fits));
    drop(registry);
    print_silent(&old);
    Some(taken?.record)
}

/// Returns the record of the panic that unwinds on this thread and in this task, if there can be no
/// other one. The caller is a destructor.
#[cfg(feature = "websocket")]
pub(crate) fn of_unwinding() -> Option<SharedRecord> {
    if !HAS_RECORDS.load(Relaxed) {
        return None;
    }
    let here = Panicker::current();
    let mut registry = registry();
    let unwinds =
        |it: &&mut Entry| it.by == here && it.may_unwind && it.at.elapsed() < MAX_UNWINDING;
    let mut unwinding = registry.entries.iter_mut().filter(unwinds);
    match (unwinding.next(), unwinding.next()) {
        (Some(entry), None) => {
            entry.is_reported = true;
            Some(Arc::clone(&entry.record))
        }
        _ => None,
    }
}

/// Returns whether a panic of this thread was not printed, and may not have been caught by a layer.
pub(crate) fn has_silent() -> bool {
    HAS_SILENT.get()
}

/// Records that nothing unwinds on this thread. User code has swallowed the panics of this thread
/// that no layer has caught.
///
/// It prints those that were not printed because a layer was expected to report them.
#[cold]
pub(crate) fn end_unwinding() {
    if !MAY_UNWIND.replace(false) {
        return;
    }
    HAS_SILENT.set(false);
    let here = Panicker::current().thread;
    let mut silent = Vec::new();
    let mut registry = registry();
    let on_this = |it: &&mut Entry| it.by.thread == here && it.may_unwind;
    for entry in registry.entries.iter_mut().filter(on_this) {
        entry.may_unwind = false;
        if mem::take(&mut entry.is_silent) {
            silent.push(Arc::clone(&entry.record));
        }
    }
    drop(registry);
    silent.iter().for_each(|record| record.print());
}
