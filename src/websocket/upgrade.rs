//! A request that asks for a WebSocket, until its handshake is answered.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use hyper::upgrade::OnUpgrade;
use tokio::runtime::Handle;

use super::{
    WebSockets,
    close::{CloseReason, from_http},
    connection::Connection,
    handle::WebSocketHandle,
    handshake::{self, Handshake},
    opening::Opening,
    peer_frames::Extensions,
    registry::PendingHandshake,
    substitute::substitute,
};
use crate::{
    exception::{HttpException, WebSocketException},
    handling::RequestContext,
};

/// Request that asks for a WebSocket, and whose handshake has not been answered.
pub(crate) struct Upgrade {
    handshake: Handshake,
    connection: Arc<Connection>,
    opening: Opening,
    /// Dropped after the connection has been registered, so that a server that closes all
    /// connections sees one of the two at any time.
    _pending: PendingHandshake<Connection>,
    /// Whether an HTTP exception is delivered as a close frame too.
    closes_http_exceptions: bool,
}

impl Upgrade {
    /// Intercepts the upgrade of a request.
    ///
    /// Returns `None` unless the layer handles WebSockets, the request asks for one, and hyper can
    /// upgrade the connection. A tokio runtime is required too.
    #[inline]
    pub(crate) fn begin<B>(
        request: &mut Request<B>,
        websockets: &WebSockets,
        context: &mut RequestContext,
    ) -> Option<Box<Self>> {
        match handshake::is_requested(request) {
            true => Self::intercept(request, websockets, context),
            false => None,
        }
    }

    /// Puts a substitute for hyper's `OnUpgrade` and a `WebSocketHandle` into the request.
    #[cold]
    fn intercept<B>(
        request: &mut Request<B>,
        websockets: &WebSockets,
        context: &mut RequestContext,
    ) -> Option<Box<Self>> {
        let runtime = Handle::try_current().ok()?;
        let pending = websockets.connections.begin_handshake();
        let real = request.extensions_mut().remove::<OnUpgrade>()?;
        let handshake = Handshake::from_request(request, websockets.protocols.as_deref());
        context.request.unshare();
        let connection = Connection::new(
            context.clone(),
            websockets.close,
            Arc::clone(&websockets.connections),
            runtime,
        );
        let (substitute, opening) = substitute(real, &connection)?;
        let extensions = request.extensions_mut();
        extensions.insert(substitute);
        extensions.insert(WebSocketHandle::new(Arc::clone(&connection)));
        Some(Box::new(Self {
            handshake,
            connection,
            opening,
            _pending: pending,
            closes_http_exceptions: websockets.closes_http_exceptions,
        }))
    }

    /// Gives the application its connection if `response`, which is sent as it is, completes the
    /// handshake.
    pub(crate) fn on_response<B>(self, response: &Response<B>) {
        if !self.handshake.succeeds_with(response.status()) {
            return;
        }
        self.connection.update_span();
        if self.handshake.is_websocket_selected(response.headers()) {
            self.connection
                .register(Extensions::accepted_by(response.headers()));
        }
        self.opening.start();
    }

    /// Returns the exception to close the connection with, if `exception` is not to be rendered as
    /// the HTTP response. The response to an invalid handshake is always the HTTP response.
    pub(crate) fn close_for_http(&self, exception: &HttpException) -> Option<WebSocketException> {
        let closes = self.closes_http_exceptions && self.handshake.is_valid();
        closes.then(|| from_http(exception))
    }

    /// Accepts the handshake, and closes the connection with `exception` when it opens.
    ///
    /// # Errors
    ///
    /// Returns the HTTP rejection of an invalid handshake.
    pub(crate) fn accept_and_close<B: From<Bytes>>(
        self,
        exception: WebSocketException,
    ) -> Result<Response<B>, HttpException> {
        let response = self.handshake.accept()?;
        self.connection.close(CloseReason::Requested(exception));
        self.on_response(&response);
        Ok(response)
    }
}
