//! Error of a read or a write of the application after the connection was taken away from it.

use std::{error::Error, fmt, io};

use crate::{caught::failure::Failure, error::sources, unwind::catch_or};

#[derive(Debug)]
struct ConnectionClosed;

/// Returns the error of a read or a write.
pub(crate) fn closed_error() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, ConnectionClosed)
}

/// Returns whether the error is a source of `failure`: the failure is then a consequence of the
/// close.
pub(crate) fn is_caused_by_close(failure: &Failure) -> bool {
    catch_or(false, || {
        sources(failure.as_error()).any(|error| error.is::<ConnectionClosed>())
    })
}

impl fmt::Display for ConnectionClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the WebSocket was closed by an exception")
    }
}

impl Error for ConnectionClosed {}
