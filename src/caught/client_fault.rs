//! Faults of the client in the body of its request.
#![cfg_attr(not(feature = "hyper"), allow(dead_code))]

use std::error::Error;
#[cfg(feature = "hyper")]
use std::{io, sync::Arc};

use http::StatusCode;

#[cfg(feature = "hyper")]
use crate::error::{BodyError, MAX_SOURCES, SharedError};
use crate::exception::HttpException;

/// A fault of the client in the body of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientFault {
    /// The body cannot be parsed.
    Malformed,
    /// The client has closed the connection, or has cancelled the request.
    Gone,
}

impl ClientFault {
    /// Returns the exception that stands for the fault: 400, or nginx's 499.
    pub(crate) fn exception(self) -> HttpException {
        match (self, StatusCode::from_u16(499)) {
            (Self::Gone, Ok(status)) => {
                HttpException::new(status).with_detail("Client Closed Request")
            }
            _ => HttpException::new(StatusCode::BAD_REQUEST),
        }
    }

    /// Returns the fault of which `error` is, if it may be the error of a request body.
    ///
    /// A `hyper::Error` says neither whether the body is that of a request or of a response, nor
    /// whether a server or a client has read it. But the errors of a request body are all of one
    /// kind, and of a client's errors only those of a response body are of that kind. The kind has
    /// no method, only a text. If hyper changes the text, no error is taken for a fault of the
    /// client.
    #[cfg(feature = "hyper")]
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let error = body_error(error)?;
        let text = error.to_string();
        if !text.starts_with("error reading a body from connection") {
            return None;
        }
        let source = error.source()?;
        let is_malformed = match source.downcast_ref::<io::Error>() {
            // HTTP/1: a chunk or a trailer.
            Some(error) => matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
            ),
            // HTTP/2: h2 has found the error. Others it has received, or they are of the socket.
            None => {
                let text = source.to_string();
                ["stream error detected", "connection error detected"]
                    .iter()
                    .any(|found| text.starts_with(found))
            }
        };
        Some(match is_malformed {
            true => Self::Malformed,
            false => Self::Gone,
        })
    }

    #[cfg(not(feature = "hyper"))]
    pub(crate) fn of(_: &(dyn Error + 'static)) -> Option<Self> {
        None
    }
}

/// Returns the `hyper::Error` that `error` is, or that it only wraps, as the errors of other bodies
/// do.
#[cfg(feature = "hyper")]
fn body_error<'a>(mut error: &'a (dyn Error + 'static)) -> Option<&'a hyper::Error> {
    for _ in 0..MAX_SOURCES {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        error = held_error(error)?;
    }
    None
}

/// Returns the error that `error` wraps without adding anything to it.
#[cfg(feature = "hyper")]
fn held_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    #[cfg(feature = "axum")]
    if error.is::<axum_core::Error>() {
        return error.source();
    }
    if error.is::<BodyError>() || error.is::<SharedError>() {
        return error.source();
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return Some(error.get_ref()?);
    }
    if let Some(error) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return Some(&**error);
    }
    if let Some(error) = error.downcast_ref::<Arc<hyper::Error>>() {
        return Some(&**error);
    }
    Some(&**error.downcast_ref::<Box<hyper::Error>>()?)
}
