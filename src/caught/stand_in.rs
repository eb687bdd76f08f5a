//! The exception that stands for a failure if no handler replies.

use http::StatusCode;

use super::{
    client_fault::ClientFault,
    failure::{Failure, FailureKind},
    known::{self, status_for},
};
use crate::{
    error::held,
    exception::{Exception, HttpException, WebSocketException},
};

impl Failure {
    /// Returns the exception that stands for the failure if no handler replies, or `None` for an
    /// unknown error and a panic.
    #[cfg(feature = "websocket")]
    pub(crate) fn default_exception(&self) -> Option<Exception> {
        match self.known_exception() {
            Some(exception) => Some(Exception::Http(exception)),
            None => self.as_exception().cloned(),
        }
    }

    /// Returns the WebSocket exception that stands for the failure.
    pub(crate) fn websocket_exception(&self) -> Option<&WebSocketException> {
        match self.as_exception()? {
            Exception::WebSocket(exception) if self.known_exception().is_none() => Some(exception),
            _ => None,
        }
    }

    /// Returns the HTTP exception that stands for the failure.
    pub(crate) fn http_exception(&self) -> Option<HttpException> {
        self.known_exception()
            .or_else(|| match self.as_exception()? {
                Exception::Http(exception) => Some(exception.clone()),
                Exception::WebSocket(_) => None,
            })
    }

    /// Returns the exception that stands for the failure over HTTP if no handler replies.
    pub(crate) fn stand_in(&self) -> HttpException {
        self.http_exception()
            .unwrap_or_else(|| HttpException::new(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// Returns the status of the response if no handler replies.
    pub(crate) fn default_status(&self) -> StatusCode {
        match self.websocket_exception() {
            Some(_) => StatusCode::FORBIDDEN,
            None => match self.stand_in().status() {
                status if status.is_informational() => StatusCode::INTERNAL_SERVER_ERROR,
                status => status,
            },
        }
    }

    /// Returns the exception that stands for an error of another crate.
    pub(crate) fn known_exception(&self) -> Option<HttpException> {
        if let Some(fault) = self.client_fault() {
            return Some(fault.exception());
        }
        // The errors of an exception or a panic are this crate's own.
        if known::IS_ANY_KNOWN && matches!(self.kind, FailureKind::Error(..)) {
            let mut errors = self.errors().enumerate();
            errors.find_map(|(depth, error)| status_for(error, depth == 0))
        } else {
            None
        }
    }

    /// Returns the fault of the client that the failure is: a request body that the client has
    /// malformed or has not sent to its end.
    ///
    /// An error that has another one as its source is the application's, whatever that source is.
    pub(crate) fn client_fault(&self) -> Option<ClientFault> {
        match &self.kind {
            FailureKind::Error(error, _) if self.may_be_of_request_body => {
                ClientFault::of(held(error))
            }
            _ => None,
        }
    }
}
