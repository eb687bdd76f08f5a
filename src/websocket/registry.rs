//! The connections of a layer that are WebSockets.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::{
    sync::Notify,
    time::{Duration, Instant, timeout_at},
};

use super::{UpgradeSettings, cause::Cause, connection::Connection};
use crate::WebSocketException;

/// The live WebSockets of a layer: see [`ExceptionLayer::upgrades`](crate::ExceptionLayer::upgrades).
#[derive(Clone)]
pub struct Upgrades {
    registry: Arc<Registry>,
    close_timeout: Duration,
}

#[derive(Default)]
pub struct Registry {
    entries: Mutex<Entries>,
    /// Told when the last one is gone.
    emptied: Notify,
}

#[derive(Default)]
struct Entries {
    last_key: u64,
    live: HashMap<u64, Weak<Connection>>,
    /// What connections are closed with that open now, and how many are at it.
    closing: Option<(WebSocketException, usize)>,
}

/// One connection's place among the live ones, until it is closed.
pub struct Registration {
    registry: Arc<Registry>,
    key: u64,
}

impl Upgrades {
    pub(crate) fn of(settings: &UpgradeSettings) -> Self {
        Self {
            registry: Arc::clone(&settings.registry),
            close_timeout: settings.close_timeout,
        }
    }

    /// How many connections are WebSockets at this moment. One that is being closed counts until it is closed.
    pub fn count(&self) -> usize {
        self.registry.entries().live.len()
    }

    /// Closes them all with the code and the reason of `exception`, for a server that goes down or restarts.
    /// Draining the listener does not touch them, and their clients would learn of it by a reset.
    ///
    /// The future is done when all of them are closed, or the layer's [close
    /// timeout](crate::ExceptionLayer::close_timeout) is over. Connections that become WebSockets until then are
    /// closed too. Nothing is closed before the future is polled; where it is dropped early, those that it has begun
    /// to close are closed all the same, and those that come later are not. Handlers and observers hear
    /// nothing of it.
    ///
    /// ```
    /// use tower_exception::{CloseCode, ExceptionLayer, WebSocketException};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let layer = ExceptionLayer::new().with_upgrades();
    /// let upgrades = layer.upgrades();
    /// // the server runs, and is told to stop
    /// upgrades.close_all(WebSocketException::new(CloseCode::SERVICE_RESTART)).await;
    /// assert_eq!(upgrades.count(), 0);
    /// # }
    /// ```
    pub async fn close_all(&self, exception: WebSocketException) {
        let deadline = Instant::now() + self.close_timeout;
        let (live, _closing) = self.registry.begin_closing(&exception);
        let closing: Vec<_> = live
            .iter()
            .filter_map(Weak::upgrade)
            .filter_map(|connection| connection.close(Cause::Ordered(exception.clone())))
            .collect();
        // Each of them is done by the deadline, which is its own too.
        for connection in closing {
            let _ = connection.await;
        }
        // There may be others: those that were being closed already, and those that came since.
        let _ = timeout_at(deadline, self.registry.emptied()).await;
    }
}

impl fmt::Debug for Upgrades {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrades")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Counts a connection as a live one. Where all are being closed, it gives what with.
    pub fn register(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
    ) -> (Registration, Option<WebSocketException>) {
        let mut entries = self.entries();
        entries.last_key += 1;
        let key = entries.last_key;
        entries.live.insert(key, Arc::downgrade(connection));
        let closing = entries.closing.as_ref();
        let ordered = closing.map(|(exception, _)| exception.clone());
        let registry = Arc::clone(self);
        (Registration { registry, key }, ordered)
    }

    fn begin_closing(
        &self,
        exception: &WebSocketException,
    ) -> (Vec<Weak<Connection>>, Closing<'_>) {
        let mut entries = self.entries();
        let others = entries.closing.take().map_or(0, |(_, count)| count);
        entries.closing = Some((exception.clone(), others + 1));
        let live = entries.live.values().cloned().collect();
        (live, Closing(self))
    }

    async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.entries().live.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A `close_all` that is at work.
struct Closing<'a>(&'a Registry);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut entries = self.0.entries();
        if let Some((exception, count)) = entries.closing.take() {
            if count > 1 {
                entries.closing = Some((exception, count - 1));
            }
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut entries = self.registry.entries();
        entries.live.remove(&self.key);
        if entries.live.is_empty() {
            drop(entries);
            self.registry.emptied.notify_waiters();
        }
    }
}
