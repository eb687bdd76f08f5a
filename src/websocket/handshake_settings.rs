//! Settings of [`WebSockets`] for failures before the handshake is answered.

use std::borrow::Cow;

use http::StatusCode;

use super::WebSockets;

impl WebSockets {
    /// Rejects the handshake with an HTTP status if a
    /// [`WebSocketException`](crate::WebSocketException) is caught before the handshake is answered.
    /// Defaults to a close frame after a successful handshake.
    ///
    /// The detail of the rejection is the reason of the exception. The client does not learn the
    /// close code, and a page in a browser learns nothing at all.
    ///
    /// The setting has no effect after the handshake.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_exception::WebSockets;
    ///
    /// let websockets = WebSockets::new().reject_handshake_with(StatusCode::FORBIDDEN);
    /// ```
    pub fn reject_handshake_with(mut self, status: StatusCode) -> Self {
        self.reject_with = Some(status);
        self
    }

    /// Closes the WebSocket with 4000 plus the status if an
    /// [`HttpException`](crate::HttpException) is caught before the handshake is answered, as it is
    /// done afterwards. Defaults to an HTTP response.
    ///
    /// A page in a browser learns nothing of an HTTP response to a handshake. With this setting,
    /// the same exception has the same close code and reason before and after the handshake: 4401
    /// for a 401.
    ///
    /// The setting applies to every failure that an HTTP exception stands for, such as a timeout or
    /// an adopted error response, and to an HTTP exception that a handler replies. It does not
    /// apply to an unknown error, a panic, a handler's response, or a handshake that is not valid.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_exception::WebSockets;
    ///
    /// let websockets = WebSockets::new().close_http_exceptions();
    /// ```
    pub fn close_http_exceptions(mut self) -> Self {
        self.closes_http_exceptions = true;
        self
    }

    /// Sets the subprotocols of the server, the preferred one first. Defaults to those that the
    /// client offers.
    ///
    /// The setting applies if the layer accepts a handshake to close the connection with an
    /// exception. The layer then selects the first protocol of this list that the client offers, or
    /// none. Without a list it selects the first one that the client offers, because browsers
    /// otherwise fail the connection. Set a list if clients send secrets as protocols.
    ///
    /// A handshake that the application accepts is not changed.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_exception::WebSockets;
    ///
    /// let websockets = WebSockets::new().protocols(["chat.v2", "chat.v1"]);
    /// ```
    pub fn protocols<I>(mut self, protocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cow<'static, str>>,
    {
        self.protocols = Some(protocols.into_iter().map(Into::into).collect());
        self
    }

    pub(crate) fn rejection_status(&self) -> Option<StatusCode> {
        self.reject_with
    }
}
