//! The layer's side of a WebSocket in the application's task.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::Request;
use pin_project_lite::pin_project;
#[cfg(feature = "axum")]
use {
    super::handshake,
    crate::exception::HttpException,
    http::{StatusCode, request::Parts},
    hyper::upgrade::OnUpgrade,
};

use super::{catch_guard::CatchGuard, close::CloseReason, connection::Connection};
use crate::{
    caught::{IntoFailure, Phase, failure::Failure},
    error::Error,
    raise::poll::catch_poll,
    unwind::{contain, ignore_panic},
};

/// Handle that catches failures in the task of a WebSocket, after the handshake.
///
/// A layer with [`with_websockets`](crate::ExceptionLayer::with_websockets) puts one into the
/// extensions of each request that asks for a WebSocket. [`of`](Self::of) returns it from there.
/// With the feature `axum` the handle is an extractor.
///
/// # Examples
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::{
///     Router,
///     extract::ws::{Message, WebSocket, WebSocketUpgrade},
///     response::Response,
///     routing::any,
/// };
/// use tower_exception::{
///     CloseCode, ExceptionLayer, WebSocketException, WebSocketHandle, WebSockets,
/// };
///
/// async fn shout(upgrade: WebSocketUpgrade, handle: WebSocketHandle) -> Response {
///     let upgrade = upgrade.protocols(["shout"]);
///     upgrade.on_upgrade(handle.catch(|mut socket: WebSocket| async move {
///         while let Some(message) = socket.recv().await {
///             match message? {
///                 Message::Text(text) => socket.send(text.to_uppercase().into()).await?,
///                 Message::Binary(_) => {
///                     return Err(WebSocketException::new(CloseCode::UNSUPPORTED_DATA)
///                         .with_reason("text only")
///                         .into());
///                 }
///                 // axum itself answers pings and the client's close frame.
///                 Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
///             }
///         }
///         Ok(())
///     }))
/// }
///
/// let app: Router = Router::new()
///     .route("/shout", any(shout))
///     .layer(ExceptionLayer::new().with_websockets(WebSockets::new()));
/// ```
#[derive(Clone)]
#[must_use = "a handle catches nothing unless its `catch` is used"]
pub struct WebSocketHandle(Arc<Connection>);

impl WebSocketHandle {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self(connection)
    }

    /// Returns the handle of a request.
    ///
    /// Returns `None` if the request does not ask for a WebSocket, if no layer with
    /// [`with_websockets`](crate::ExceptionLayer::with_websockets) is around the service, or if the
    /// server is not hyper.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::Empty;
    /// use hyper::{body::Incoming, upgrade::Upgraded};
    /// use hyper_util::rt::TokioIo;
    /// use tokio::io::AsyncWriteExt;
    /// use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
    /// use tower::BoxError;
    /// use tower_exception::{HttpException, WebSocketHandle};
    ///
    /// async fn hello(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, BoxError> {
    ///     let Some(handle) = WebSocketHandle::of(&request) else {
    ///         return Err(HttpException::bad_request("only for WebSockets").into());
    ///     };
    ///     let upgrade = hyper::upgrade::on(&mut request);
    ///     let callback = handle.catch(async |upgraded: Upgraded| {
    ///         TokioIo::new(upgraded).write_all(b"\x81\x05hello").await?;
    ///         Ok(())
    ///     });
    ///     tokio::spawn(async move {
    ///         if let Ok(upgraded) = upgrade.await {
    ///             callback(upgraded).await;
    ///         }
    ///     });
    ///     Ok(create_response_with_body(&request, Empty::new)?)
    /// }
    /// ```
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        request.extensions().get().cloned()
    }

    /// Returns the rejection of a request that has no handle, by a service that requires one.
    #[cfg(feature = "axum")]
    pub(crate) fn missing(head: &Parts) -> HttpException {
        let can_upgrade = head.extensions.get::<OnUpgrade>().is_some();
        if can_upgrade && handshake::is_requested_by_head(head) {
            return HttpException::new(StatusCode::INTERNAL_SERVER_ERROR).with_source(
                "a `WebSocketHandle` requires an `ExceptionLayer` with `with_websockets`",
            );
        }
        handshake::upgrade_required()
    }

    /// Wraps a fallible callback into one for the upgraded connection, and catches its failures.
    ///
    /// `S` is the type that the framework passes: axum's `WebSocket`, a `WebSocketStream`, hyper's
    /// `Upgraded`.
    ///
    /// A failure is an error that the callback returns, an exception that it raises, or a panic. It
    /// goes to the layer's handlers and observers, and closes the connection:
    ///
    /// - a [`WebSocketException`](crate::WebSocketException) with its code and reason,
    /// - an [`HttpException`](crate::HttpException) with 4000 plus its status,
    /// - an error that is the client's fault with 1002 for an invalid frame, with 1007 for a text
    ///   that is not UTF-8, and with 1009 for a message that the library refuses as too long,
    /// - any other failure with 1011.
    ///
    /// An error of the library that only says that the client has closed or has gone is no failure.
    /// No handler and no observer is called, and the client gets its own close code back.
    ///
    /// The connection is closed at once, even if the socket was split and other tasks hold a half
    /// of it. Their pending or next read or write returns an error.
    ///
    /// After `Ok` the connection stays open until the application drops it. If the callback drops
    /// the connection before it returns, without a close frame, the close waits for the callback's
    /// result.
    ///
    /// # Examples
    ///
    /// The socket is split, and the task that sends has a handle of its own:
    ///
    #[cfg_attr(feature = "axum", doc = "```")]
    #[cfg_attr(not(feature = "axum"), doc = "```ignore")]
    /// use axum::{
    ///     extract::ws::{Message, WebSocket, WebSocketUpgrade},
    ///     response::Response,
    /// };
    /// use futures_util::{SinkExt, StreamExt, stream::SplitSink};
    /// use tower_exception::{CloseCode, WebSocketException, WebSocketHandle};
    ///
    /// async fn count(upgrade: WebSocketUpgrade, handle: WebSocketHandle) -> Response {
    ///     let sending = handle.clone();
    ///     upgrade.on_upgrade(handle.catch(async |socket: WebSocket| {
    ///         let (sender, mut receiver) = socket.split();
    ///         let send = sending.catch(async |mut sender: SplitSink<WebSocket, Message>| {
    ///             for number in 0..10 {
    ///                 sender.send(Message::text(number.to_string())).await?;
    ///             }
    ///             Ok(())
    ///         });
    ///         tokio::spawn(send(sender));
    ///         while let Some(message) = receiver.next().await {
    ///             if let Message::Text(_) = message? {
    ///                 WebSocketException::new(CloseCode::POLICY_VIOLATION).raise_async().await
    ///             }
    ///         }
    ///         Ok(())
    ///     }))
    /// }
    /// ```
    pub fn catch<S, F, Fut>(
        self,
        callback: F,
    ) -> impl FnOnce(S) -> CatchWebSocket<Fut> + use<S, F, Fut>
    where
        F: FnOnce(S) -> Fut,
        Fut: Future<Output = Result<(), Error>>,
    {
        move |socket| {
            let guard = CatchGuard::begin(&self.0);
            let (future, guard) = match contain(|| callback(socket)) {
                Ok(future) => (Some(future), Some(guard)),
                Err(payload) => {
                    let failure = Failure::from_payload(payload, Phase::WebSocket);
                    self.0.close(CloseReason::Failed(failure));
                    (None, None)
                }
            };
            CatchWebSocket {
                future,
                poll: Fut::poll,
                guard,
            }
        }
    }
}

impl fmt::Debug for WebSocketHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketHandle").finish_non_exhaustive()
    }
}

pin_project! {
    /// Future of the callback that [`WebSocketHandle::catch`] returns.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it has completed, as in an aborted task, and the connection
    /// with it, the client gets 1001 instead of the code of
    /// [`close_on_drop`](crate::WebSockets::close_on_drop).
    #[must_use = "futures do nothing unless polled"]
    pub struct CatchWebSocket<F> {
        // Dropped before `guard`: the `InterceptedIo` that the future holds is dropped first.
        #[pin]
        future: Option<F>,
        poll: fn(Pin<&mut F>, &mut Context<'_>) -> Poll<Result<(), Error>>,
        // Dropped as soon as `future` has completed, even if the `CatchWebSocket` lives on.
        guard: Option<CatchGuard>,
    }
}

impl<F> Future for CatchWebSocket<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let (Some(future), Some(guard)) = (this.future.as_mut().as_pin_mut(), &*this.guard) else {
            return Poll::Ready(());
        };
        let failure = match catch_poll(cx, |cx| (this.poll)(future, cx)) {
            Ok(poll) => match ready!(poll) {
                Ok(()) => None,
                Err(error) => Some(error.into_failure(Phase::WebSocket)),
            },
            Err(payload) => Some(Failure::from_payload(payload, Phase::WebSocket)),
        };
        // Close before the future, which may hold the `InterceptedIo`, is dropped: the first reason
        // to close wins.
        if let Some(failure) = failure {
            guard.connection().close(CloseReason::Failed(failure));
        }
        ignore_panic(|| this.future.set(None));
        if let Some(guard) = this.guard.take() {
            guard.complete();
        }
        Poll::Ready(())
    }
}

impl<F> fmt::Debug for CatchWebSocket<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatchWebSocket").finish_non_exhaustive()
    }
}
