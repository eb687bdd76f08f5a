//! Errors of WebSocket libraries that say what the peer has done.

use std::{error::Error, io};

use tungstenite::error::{CapacityError, Error as LibraryError, ProtocolError};

use crate::{
    caught::failure::{Failure, FailureKind},
    error::find,
    exception::CloseCode,
    unwind::catch_or,
};

/// Returns whether a failure only says that the connection is closed, or is being closed.
///
/// The error may be about another connection, such as one to an upstream server. So this says
/// something of a connection only together with its state.
pub(crate) fn says_closed(failure: &Failure) -> bool {
    has_source(failure, |error| match find(error) {
        Some(LibraryError::ConnectionClosed | LibraryError::AlreadyClosed) => true,
        Some(LibraryError::Protocol(error)) => matches!(
            error,
            ProtocolError::SendAfterClosing
                | ProtocolError::ReceivedAfterClosing
                | ProtocolError::ResetWithoutClosingHandshake
        ),
        Some(LibraryError::Io(error)) => is_disconnect(error.kind()),
        _ => false,
    })
}

/// Returns whether an I/O error says that the peer is gone.
fn is_disconnect(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
    )
}

/// Returns the close code for a message of the peer that the library has refused
/// ([RFC 6455, section 7.4.1](https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1)).
///
/// Faults of frames are not among them, because the layer sees those itself. An error of that kind
/// is about another connection.
pub(crate) fn code_for(failure: &Failure) -> Option<CloseCode> {
    let is_not_utf8 = |error: &LibraryError| matches!(error, LibraryError::Utf8(_));
    let is_too_long = |error: &LibraryError| {
        matches!(
            error,
            LibraryError::Capacity(CapacityError::MessageTooLong { .. })
        )
    };
    let has =
        |is: fn(&LibraryError) -> bool| has_source(failure, |error| find(error).is_some_and(is));
    if has(is_not_utf8) {
        Some(CloseCode::INVALID_PAYLOAD)
    } else if has(is_too_long) {
        Some(CloseCode::MESSAGE_TOO_BIG)
    } else {
        None
    }
}

/// Returns whether a failure is an error, without an exception, that has such a source.
fn has_source(failure: &Failure, is: impl FnMut(&(dyn Error + 'static)) -> bool) -> bool {
    match &failure.kind {
        // An error's `source` is user code.
        FailureKind::Error(_, None) => catch_or(false, || failure.errors().any(is)),
        _ => false,
    }
}
