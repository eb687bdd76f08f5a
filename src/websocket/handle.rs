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
    crate::HttpException,
    http::{
        HeaderValue, StatusCode,
        header::{SEC_WEBSOCKET_VERSION, UPGRADE},
        request::Parts,
    },
    hyper::upgrade::OnUpgrade,
};

use super::{
    cause::Cause,
    connection::{Catching, Connection},
};
use crate::{
    BoxError, Place,
    interrupt::{catch, catch_poll, quietly},
    thrown::Thrown,
};

/// The layer's side of a connection that becomes a WebSocket: it catches what the application's task returns,
/// raises or panics with once the handshake is over.
///
/// It is in the extensions of every request that asks for a WebSocket, under a layer
/// [`with_upgrades`](crate::ExceptionLayer::with_upgrades); [`of`](Self::of) gets it from there. With the feature
/// `axum` it is an extractor:
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::{
///     Router,
///     extract::ws::{Message, WebSocket, WebSocketUpgrade},
///     response::Response,
///     routing::any,
/// };
/// use tower_exception::{CloseCode, ExceptionLayer, UpgradeHandle, WebSocketException};
///
/// async fn shout(upgrade: WebSocketUpgrade, exceptions: UpgradeHandle) -> Response {
///     upgrade.on_upgrade(exceptions.catch(|mut socket: WebSocket| async move {
///         while let Some(message) = socket.recv().await {
///             let Message::Text(text) = message? else {
///                 return Err(WebSocketException::new(CloseCode::UNSUPPORTED_DATA)
///                     .with_reason("text only")
///                     .into());
///             };
///             socket.send(text.to_uppercase().into()).await?;
///         }
///         Ok(())
///     }))
/// }
///
/// let app: Router = Router::new()
///     .route("/shout", any(shout))
///     .layer(ExceptionLayer::new().with_upgrades());
/// ```
#[derive(Clone)]
pub struct UpgradeHandle(Arc<Connection>);

impl UpgradeHandle {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self(connection)
    }

    /// The handle of a request. It is `None` where the request asks for no WebSocket, where no layer
    /// [`with_upgrades`](crate::ExceptionLayer::with_upgrades) is around the service, and where the server is not
    /// hyper.
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
    /// use tower_exception::{HttpException, UpgradeHandle};
    ///
    /// async fn hello(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, BoxError> {
    ///     let Some(exceptions) = UpgradeHandle::of(&request) else {
    ///         return Err(HttpException::bad_request("this is for WebSockets").into());
    ///     };
    ///     let upgrade = hyper::upgrade::on(&mut request);
    ///     let callback = exceptions.catch(async |upgraded: Upgraded| {
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

    /// Why a request has no handle, for whoever cannot do without.
    #[cfg(feature = "axum")]
    pub(crate) fn missing(head: &Parts) -> HttpException {
        let could_be_one = head.extensions.get::<OnUpgrade>().is_some();
        if could_be_one && handshake::is_upgrade_asked_for(head) {
            return HttpException::new(StatusCode::INTERNAL_SERVER_ERROR)
                .with_source("an `UpgradeHandle` was asked for under no layer `with_upgrades()`");
        }
        HttpException::new(StatusCode::UPGRADE_REQUIRED)
            .with_header(UPGRADE, HeaderValue::from_static("websocket"))
            .with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
    }

    /// Makes a callback for an upgraded connection of one that may fail. `S` is whatever the framework gives:
    /// axum's `WebSocket`, a `WebSocketStream`, hyper's `Upgraded`.
    ///
    /// An error that it returns, and what it raises or panics with, goes through the layer's handlers, to its
    /// observers, and closes the connection: a [`WebSocketException`](crate::WebSocketException) with its code and
    /// reason, an [`HttpException`](crate::HttpException) with 4000 and its status, anything else with 1011.
    /// It is closed at once, also where the socket was split and other tasks hold a half of it: they get an error
    /// when they next read or write.
    ///
    /// Where it returns `Ok`, the connection is left to whoever still holds it, and closed once nobody does. Where the
    /// callback itself drops the connection first, without a close frame, the close waits for what the callback
    /// comes to.
    pub fn catch<S, F, Fut>(
        self,
        callback: F,
    ) -> impl FnOnce(S) -> CatchUpgraded<Fut> + use<S, F, Fut>
    where
        F: FnOnce(S) -> Fut,
        Fut: Future<Output = Result<(), BoxError>>,
    {
        move |socket| {
            let catching = self.0.catching();
            let (future, catching) = match catch(|| callback(socket)) {
                Ok(future) => (Some(future), Some(catching)),
                Err(payload) => {
                    let thrown = Thrown::from_payload(payload, Place::Upgraded);
                    self.0.close(Cause::Thrown(thrown));
                    (None, None)
                }
            };
            CatchUpgraded {
                future,
                poll: Fut::poll,
                catching,
            }
        }
    }
}

impl fmt::Debug for UpgradeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeHandle").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`UpgradeHandle::catch`]'s callback.
    #[must_use = "futures do nothing unless polled"]
    pub struct CatchUpgraded<F> {
        // Dropped before `catching`, which is to see what becomes of the guard.
        #[pin]
        future: Option<F>,
        // The future's own. Were it named by a bound on `F`, `BoxError` would be too, and the compiler, which
        // forgets lifetimes when it looks whether a future is `Send`, would not find it `'static` inside a
        // `join!` or a `select!`.
        poll: fn(Pin<&mut F>, &mut Context<'_>) -> Poll<Result<(), BoxError>>,
        // Given up as soon as `future` is done, however long the whole is kept.
        catching: Option<Catching>,
    }
}

impl<F> Future for CatchUpgraded<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let (Some(future), Some(catching)) = (this.future.as_mut().as_pin_mut(), &*this.catching)
        else {
            return Poll::Ready(());
        };
        let thrown = match catch_poll(cx, |cx| (this.poll)(future, cx)) {
            Ok(poll) => match ready!(poll) {
                Ok(()) => None,
                Err(error) => Some(Thrown::from_error(error, Place::Upgraded)),
            },
            Err(payload) => Some(Thrown::from_payload(payload, Place::Upgraded)),
        };
        // Before the future is dropped, and the guard with it.
        if let Some(thrown) = thrown {
            catching.connection().close(Cause::Thrown(thrown));
        }
        quietly(|| this.future.set(None));
        *this.catching = None;
        Poll::Ready(())
    }
}

impl<F> fmt::Debug for CatchUpgraded<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatchUpgraded").finish_non_exhaustive()
    }
}
