//! The set of live connections, which a server can close all at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::Notify;

use crate::exception::WebSocketException;

/// Set of live connections, and the number of handshakes that may add one.
pub(crate) struct Registry<T> {
    entries: Mutex<Entries<T>>,
    /// Notified when no connection and no handshake is left.
    emptied: Notify,
}

struct Entries<T> {
    last_key: u64,
    live: HashMap<u64, Weak<T>>,
    /// Number of [`PendingHandshake`]s.
    pending: usize,
    /// Exception that new connections are closed with, and the number of [`ClosingGuard`]s.
    closing: Option<(WebSocketException, usize)>,
    /// Exception that new connections are closed with for good.
    shut_down: Option<WebSocketException>,
}

/// Handshake that was not answered yet, until dropped.
pub(crate) struct PendingHandshake<T>(Arc<Registry<T>>);

/// Membership of one connection in a [`Registry`], until dropped.
pub(crate) struct Registration<T> {
    registry: Arc<Registry<T>>,
    key: u64,
}

/// Period in which all connections are closed, new ones included, until dropped.
pub(crate) struct ClosingGuard<'a, T>(&'a Registry<T>);

impl<T> Registry<T> {
    /// Counts a handshake, which [`emptied`](Self::emptied) waits for.
    pub(crate) fn begin_handshake(self: &Arc<Self>) -> PendingHandshake<T> {
        self.entries().pending += 1;
        PendingHandshake(Arc::clone(self))
    }

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
        let closing = entries.closing.as_ref().map(|(exception, _)| exception);
        let exception = closing.or(entries.shut_down.as_ref()).cloned();
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

    /// Closes all later connections with `exception`.
    pub(crate) fn shut_down(&self, exception: WebSocketException) {
        self.entries().shut_down = Some(exception);
    }

    /// Returns the number of live connections.
    pub(crate) fn count(&self) -> usize {
        self.entries().live.len()
    }

    /// Waits until no connection and no handshake is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.entries().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries<T>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Entries<T> {
    fn is_empty(&self) -> bool {
        self.live.is_empty() && self.pending == 0
    }
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        let entries = Entries {
            last_key: 0,
            live: HashMap::new(),
            pending: 0,
            closing: None,
            shut_down: None,
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
        if entries.is_empty() {
            drop(entries);
            self.registry.emptied.notify_waiters();
        }
    }
}

impl<T> Drop for PendingHandshake<T> {
    fn drop(&mut self) {
        let mut entries = self.0.entries();
        entries.pending -= 1;
        if entries.is_empty() {
            drop(entries);
            self.0.emptied.notify_waiters();
        }
    }
}
