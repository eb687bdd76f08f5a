//! A request on its way to become a WebSocket. Without the feature there are none.

use http::{Request, Response};

use super::{AnswerBody, Config, kept::Kept};
use crate::{HttpException, WebSocketException, response::refusal};
#[cfg(feature = "websocket")]
use crate::{
    response::refusal_with,
    websocket::{self, Upgrade},
};

#[cfg(feature = "websocket")]
pub struct Upgrading(Option<Box<Upgrade>>);

#[cfg(feature = "websocket")]
impl Upgrading {
    #[inline]
    pub(super) fn is_asked_for<B>(request: &Request<B>, config: &Config) -> bool {
        config.upgrades.is_some() && websocket::is_asked_for(request)
    }

    /// Goes between the server and the application.
    #[cold]
    pub(super) fn begin<B>(request: &mut Request<B>, kept: &Kept) -> Self {
        let settings = kept.config.upgrades.as_ref();
        Self(settings.and_then(|settings| Upgrade::begin(request, settings, kept)))
    }

    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.0.is_some()
    }

    /// The application has answered.
    #[inline]
    pub(super) fn answered<B>(&mut self, response: &Response<B>) {
        if let Some(upgrade) = self.0.take() {
            upgrade.answered(response);
        }
    }

    /// Delivers `exception` as a close frame, by answering the handshake in the application's place.
    ///
    /// # Errors
    ///
    /// The HTTP refusal, where there is no handshake to answer.
    pub(super) fn refuse(
        &mut self,
        exception: WebSocketException,
        kept: &Kept,
    ) -> Result<Response<AnswerBody>, HttpException> {
        let settings = kept.config.upgrades.as_ref();
        if let Some(status) = settings.and_then(|settings| settings.reject_with) {
            return Err(refusal_with(status, &exception));
        }
        match self.0.take() {
            Some(upgrade) => upgrade.refuse(exception),
            None => Err(refusal(&exception)),
        }
    }
}

#[cfg(not(feature = "websocket"))]
pub struct Upgrading;

#[cfg(not(feature = "websocket"))]
impl Upgrading {
    pub(super) fn is_asked_for<B>(_: &Request<B>, _: &Config) -> bool {
        false
    }

    pub(super) fn begin<B>(_: &mut Request<B>, _: &Kept) -> Self {
        Self
    }

    pub(super) fn none() -> Self {
        Self
    }

    pub(super) fn is_under_way(&self) -> bool {
        false
    }

    pub(super) fn answered<B>(&mut self, _: &Response<B>) {}

    pub(super) fn refuse(
        &mut self,
        exception: WebSocketException,
        _: &Kept,
    ) -> Result<Response<AnswerBody>, HttpException> {
        Err(refusal(&exception))
    }
}
