//! WebSockets: from the request that asks for one to the close frame.

mod cause;
mod close;
mod connection;
mod exchange;
mod frames;
mod guard;
mod handle;
mod handshake;
mod registry;
mod upgrade;
mod wire;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use tokio::runtime::Handle;

pub(crate) use handshake::is_asked_for;
pub use {
    handle::{CatchUpgraded, UpgradeHandle},
    registry::Upgrades,
};

use self::{
    cause::Cause, connection::Connection, handshake::Handshake, registry::Registry,
    upgrade::Opening,
};
use crate::{CloseCode, HttpException, WebSocketException, settings::Kept};

/// What a layer was told of WebSockets.
#[derive(Clone)]
pub struct UpgradeSettings {
    pub(crate) close_timeout: Duration,
    pub(crate) close_on_drop: Option<CloseCode>,
    pub(crate) reject_with: Option<StatusCode>,
    pub(crate) registry: Arc<Registry>,
}

impl Default for UpgradeSettings {
    fn default() -> Self {
        Self {
            close_timeout: Duration::from_secs(5),
            close_on_drop: Some(CloseCode::NORMAL_CLOSURE),
            reject_with: None,
            registry: Arc::default(),
        }
    }
}

/// A request that asks for a WebSocket, until its handshake is answered.
pub struct Upgrade {
    handshake: Handshake,
    connection: Arc<Connection>,
    opening: Opening,
}

impl Upgrade {
    /// Gives the application an `OnUpgrade` of the layer's own, if the request, which asks for a WebSocket, has one
    /// of hyper's.
    pub fn begin<B>(
        request: &mut Request<B>,
        settings: &UpgradeSettings,
        kept: &Kept,
    ) -> Option<Box<Self>> {
        let runtime = Handle::try_current().ok()?;
        let real = request.extensions_mut().remove::<OnUpgrade>()?;
        let handshake = Handshake::of(request);
        let connection = Connection::new(kept.clone(), settings.clone(), runtime);
        let (substitute, opening) = upgrade::substitute(real, &connection)?;
        let extensions = request.extensions_mut();
        extensions.insert(substitute);
        extensions.insert(UpgradeHandle::new(Arc::clone(&connection)));
        Some(Box::new(Self {
            handshake,
            connection,
            opening,
        }))
    }

    /// The application has answered. Where that is a success, it is given its connection.
    pub fn answered<B>(self, response: &Response<B>) {
        if !self.handshake.succeeds_with(response.status()) {
            return;
        }
        if self.handshake.is_taken_up_by(response.headers()) {
            self.connection.register();
        }
        self.connection.runtime().spawn(self.opening);
    }

    /// Answers the handshake, and closes the connection with `exception` as soon as it is open.
    ///
    /// # Errors
    ///
    /// What is wrong with the handshake.
    pub fn refuse<B: From<Bytes>>(
        self,
        exception: WebSocketException,
    ) -> Result<Response<B>, HttpException> {
        let response = self.handshake.accept()?;
        self.connection.close(Cause::Ordered(exception));
        self.answered(&response);
        Ok(response)
    }
}
