#![doc = include_str!("../docs/websocket.md")]

mod catch_guard;
mod close;
mod closed_error;
mod connection;
mod frame;
mod handle;
mod handshake;
mod handshake_settings;
mod intercepted_io;
mod io;
mod library_errors;
mod loopback;
mod opening;
mod peer_frames;
mod registry;
mod span;
mod substitute;
mod upgrade;
mod utf8;
mod wakers;

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use http::StatusCode;
use tokio::time::{Instant, timeout_at};

use self::{
    close::{CloseReason, CloseSettings},
    connection::Connection,
    handshake::Protocols,
    registry::Registry,
};
use crate::{
    exception::{CloseCode, WebSocketException},
    unwind::catch_or,
};

pub use self::handle::{CatchWebSocket, WebSocketHandle};
pub(crate) use self::upgrade::Upgrade;

/// Settings for the WebSockets under an [`ExceptionLayer`](crate::ExceptionLayer), and the set of
/// the live ones.
///
/// Keep a clone, and pass one to
/// [`ExceptionLayer::with_websockets`](crate::ExceptionLayer::with_websockets). The clone that you
/// keep [counts](Self::count) the WebSockets of all services under the layer and its clones, and
/// [closes them all](Self::shut_down) when the server stops.
///
/// The settings for the handshake are [`protocols`](Self::protocols),
/// [`close_http_exceptions`](Self::close_http_exceptions) and
/// [`reject_handshake_with`](Self::reject_handshake_with); those for the close are
/// [`close_timeout`](Self::close_timeout) and [`close_on_drop`](Self::close_on_drop).
///
/// Clones share the connections. Each clone has its own settings, so set everything before cloning.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_exception::{CloseCode, ExceptionLayer, WebSocketException, WebSockets};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let websockets = WebSockets::new()
///     .close_timeout(Duration::from_secs(1))
///     .close_on_drop(CloseCode::GOING_AWAY);
/// let app: axum::Router = axum::Router::new()
///     .layer(ExceptionLayer::new().with_websockets(websockets.clone()));
/// # let _ = app;
///
/// // Serve `app` until the server has to stop. Then close the WebSockets:
/// websockets.shut_down(WebSocketException::new(CloseCode::SERVICE_RESTART)).await;
/// assert_eq!(websockets.count(), 0);
/// # }
/// ```
#[derive(Clone)]
#[must_use = "`WebSockets` have no effect unless passed to `ExceptionLayer::with_websockets`"]
pub struct WebSockets {
    close: CloseSettings,
    /// Status that rejects a handshake, in place of a close frame after it.
    reject_with: Option<StatusCode>,
    closes_http_exceptions: bool,
    protocols: Option<Arc<Protocols>>,
    connections: Arc<Registry<Connection>>,
}

/// Default timeout of the closing handshake: enough for a round trip over a slow network, and well
/// below the 30 seconds that a process commonly gets to stop.
const DEFAULT_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest timeout of the closing handshake: a century, which can be added to any `Instant` without
/// an overflow.
const MAX_CLOSE_TIMEOUT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl WebSockets {
    /// Returns the default settings, with an empty set of connections.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_exception::{ExceptionLayer, WebSockets};
    ///
    /// let layer = ExceptionLayer::new().with_websockets(WebSockets::new());
    /// ```
    pub fn new() -> Self {
        Self {
            close: CloseSettings {
                timeout: DEFAULT_CLOSE_TIMEOUT,
                on_drop: Some(CloseCode::NORMAL_CLOSURE),
            },
            reject_with: None,
            closes_http_exceptions: false,
            protocols: None,
            connections: Arc::default(),
        }
    }

    /// Sets the timeout of the closing handshake. Defaults to 5 seconds.
    ///
    /// After the timeout the connection is cut, even if the client has not answered the close
    /// frame. A timeout of more than a century counts as a century.
    ///
    /// The timeout includes the time of the handler that replies to a failure. If the handler has
    /// not replied by then, it has failed, and the client gets 1011.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_exception::WebSockets;
    ///
    /// let websockets = WebSockets::new().close_timeout(Duration::from_secs(1));
    /// ```
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close.timeout = timeout.min(MAX_CLOSE_TIMEOUT);
        self
    }

    /// Sets the close code for a WebSocket that the application drops. Defaults to 1000.
    ///
    /// The code applies if the application has sent no close frame and there is no exception or
    /// panic. Three codes take precedence, in this order:
    ///
    /// - 1002 if the client has sent an invalid frame, and 1007 if it has sent a text that is not
    ///   UTF-8,
    /// - the client's own code if the client has begun to close,
    /// - 1001 if the future of a [`WebSocketHandle::catch`] was dropped before it had completed, as
    ///   in an aborted task.
    ///
    /// With `None` such a connection is cut, as it is without the layer.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_exception::{CloseCode, WebSockets};
    ///
    /// let going_away = WebSockets::new().close_on_drop(CloseCode::GOING_AWAY);
    /// let cut = WebSockets::new().close_on_drop(None);
    /// ```
    pub fn close_on_drop(mut self, code: impl Into<Option<CloseCode>>) -> Self {
        self.close.on_drop = code.into();
        self
    }

    /// Returns the number of live WebSockets.
    ///
    /// A WebSocket that is being closed counts until it is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_exception::{ExceptionLayer, WebSockets};
    ///
    /// let websockets = WebSockets::new();
    /// let layer = ExceptionLayer::new().with_websockets(websockets.clone());
    /// assert_eq!(websockets.count(), 0);
    /// ```
    #[must_use]
    pub fn count(&self) -> usize {
        self.connections.count()
    }

    /// Closes all live WebSockets with the code and the reason of `exception`.
    ///
    /// [`shut_down`](Self::shut_down) is for a server that stops: it also closes later WebSockets.
    ///
    /// The future completes when all WebSockets are closed, at the latest after the
    /// [close timeout](Self::close_timeout). If this clone and the layer's have different timeouts,
    /// the longer one counts. It waits for handshakes that were not answered yet. Connections that
    /// become WebSockets until then are closed too. Handlers and observers are not called.
    ///
    /// # Cancel safety
    ///
    /// Nothing is closed before the future is first polled. If the future is dropped before it has
    /// completed, the WebSockets that are being closed are still closed, but later ones are not.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_exception::{CloseCode, ExceptionLayer, WebSocketException, WebSockets};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let websockets = WebSockets::new();
    /// let layer = ExceptionLayer::new().with_websockets(websockets.clone());
    /// // Serve, and send all clients away, such as after a change of the configuration.
    /// let reload = WebSocketException::new(CloseCode::SERVICE_RESTART);
    /// websockets.close_all(reload.with_reason("please reconnect")).await;
    /// assert_eq!(websockets.count(), 0);
    /// # }
    /// ```
    pub async fn close_all(&self, exception: WebSocketException) {
        let deadline = Instant::now() + self.close.timeout;
        let (live, _closing) = self.connections.begin_closing(&exception);
        let closing: Vec<_> = live
            .iter()
            .filter_map(Weak::upgrade)
            .filter_map(|connection| {
                let reason = CloseReason::Requested(exception.clone());
                // One connection's I/O is user code, and must not affect the others.
                catch_or(None, || connection.close(reason))
            })
            .collect();
        // Each task ends by the connection's own deadline.
        for task in closing {
            let _ = task.await;
        }
        // Other connections were being closed before, or have become WebSockets since.
        let _ = timeout_at(deadline, self.connections.emptied()).await;
    }

    /// Closes all live WebSockets, and all later ones, with the code and the reason of `exception`.
    ///
    /// A server calls this when it stops or restarts. Draining the listener does not close the
    /// WebSockets, and their clients would only see a reset. Requests that are still being served
    /// may become WebSockets while the server drains. Those are closed as soon as their handshake
    /// has been answered.
    ///
    /// The future completes as that of [`close_all`](Self::close_all) does.
    ///
    /// # Cancel safety
    ///
    /// Nothing is closed before the future is first polled. From then on all later WebSockets are
    /// closed, even if the future is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_exception::{CloseCode, ExceptionLayer, WebSocketException, WebSockets};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let websockets = WebSockets::new();
    /// let layer = ExceptionLayer::new().with_websockets(websockets.clone());
    /// // Serve until the server has to stop.
    /// let restart = WebSocketException::new(CloseCode::SERVICE_RESTART);
    /// websockets.shut_down(restart.with_reason("back in a minute")).await;
    /// assert_eq!(websockets.count(), 0);
    /// # }
    /// ```
    pub async fn shut_down(&self, exception: WebSocketException) {
        self.connections.shut_down(exception.clone());
        self.close_all(exception).await;
    }
}

impl Default for WebSockets {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WebSockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSockets")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}
