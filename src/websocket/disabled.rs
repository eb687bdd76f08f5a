//! The stand-ins for WebSockets without the feature `websocket`.

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    exception::{HttpException, WebSocketException},
    handling::RequestContext,
};

/// Settings for WebSockets, which no layer has.
#[derive(Clone)]
pub(crate) enum WebSockets {}

/// Request that asks for a WebSocket, which no request does.
pub(crate) enum Upgrade {}

impl Upgrade {
    /// Cannot be called, as there are no settings.
    pub(crate) fn begin<B>(
        _: &mut Request<B>,
        websockets: &WebSockets,
        _: &mut RequestContext,
    ) -> Option<Box<Self>> {
        match *websockets {}
    }

    /// Cannot be called, as there is no upgrade.
    pub(crate) fn on_response<B>(self, _: &Response<B>) {
        match self {}
    }

    /// Cannot be called, as there is no upgrade.
    pub(crate) fn close_for_http(&self, _: &HttpException) -> Option<WebSocketException> {
        match *self {}
    }

    /// Cannot be called, as there is no upgrade.
    ///
    /// # Errors
    ///
    /// None.
    pub(crate) fn accept_and_close<B: From<Bytes>>(
        self,
        _: WebSocketException,
    ) -> Result<Response<B>, HttpException> {
        match self {}
    }
}
