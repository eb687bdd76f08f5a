//! The set of live connections, which a server can close all at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::Notify;

use crate::exception::WebSocketException;

/// Set of live connections.
pub(crate) struct Registry<T> {
    entries: Mutex<Entries<T>>,
    /// Notified when the last connection leaves.
    emptied: Notify,
}

struct Entries<T> {
    last_key: u64,
    live: HashMap<u64, Weak<T>>,
    /// Exception that new connections are closed with, and the number of [`ClosingGuard`]s.
    closing: Option<(WebSocketException, usize)>,
}

/// Membership of one connection in a [`Registry`], until dropped.
pub(crate) struct Registration<T> {
    registry: Arc<Registry<T>>,
    key: u64,
}

/// Period in which all connections are closed, new ones included, until dropped.
pub(crate) struct ClosingGuard<'a, T>(&'a Registry<T>);

impl<T> Registry<T> {
    /// Adds a connection. If all connections are being closed, also returns the exception to close
    /// this one with.
    pub(crate) fn register(
        self: &Arc<Self>,
        connection: &Arc<T>,
    ) -> (Registration<T>, Option<WebSocketException>) {
        let mut entries = self.entries();
        entries.last_key += 1;
        let key = entries.last_key;
        entries.live.insert(key, Arc::downgrade(connection));
        let closing = entries.closing.as_ref();
        let exception = closing.map(|(exception, _)| exception.clone());
        let registry = Arc::clone(self);
        (Registration { registry, key }, exception)
    }

    /// Returns the live connections, and closes later ones with `exception` until the guard is
    /// dropped.
    pub(crate) fn begin_closing(
        &self,
        exception: &WebSocketException,
    ) -> (Vec<Weak<T>>, ClosingGuard<'_, T>) {
        let mut entries = self.entries();
        let others = entries.closing.take().map_or(0, |(_, guards)| guards);
        entries.closing = Some((exception.clone(), others + 1));
        let live = entries.live.values().cloned().collect();
        (live, ClosingGuard(self))
    }

    /// Returns the number of live connections.
    pub(crate) fn count(&self) -> usize {
        self.entries().live.len()
    }

    /// Waits until no connection is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.count() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries<T>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        let entries = Entries {
            last_key: 0,
            live: HashMap::new(),
            closing: None,
        };
        Self {
            entries: Mutex::new(entries),
            emptied: Notify::new(),
        }
    }
}

impl<T> Drop for ClosingGuard<'_, T> {
    fn drop(&mut self) {
        let mut entries = self.0.entries();
        if let Some((exception, guards)) = entries.closing.take() {
            if guards > 1 {
                entries.closing = Some((exception, guards - 1));
            }
        }
    }
}

impl<T> Drop for Registration<T> {
    fn drop(&mut self) {
        let mut entries = self.registry.entries();
        entries.live.remove(&self.key);
        if entries.live.is_empty() {
            drop(entries);
            self.registry.emptied.notify_waiters();
        }
    }
}
