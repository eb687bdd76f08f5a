//! A failure in the extensions of the response that was rendered for it.

use http::{Extensions, Response};

use super::failure::{Failure, FailureKind, Mechanism, Phase};
use crate::exception::{Exception, HttpException, WebSocketException};

/// An error or a panic that an inner layer has rendered by default. An outer layer may still handle
/// it.
#[derive(Clone)]
struct Provisional(Failure);

/// Attaches `failure` to the response that was rendered for it.
pub(crate) fn attach<B>(response: &mut Response<B>, failure: Failure) {
    let extensions = response.extensions_mut();
    match failure.kind {
        FailureKind::Exception(Exception::Http(exception)) => drop(extensions.insert(exception)),
        FailureKind::Exception(Exception::WebSocket(exception)) => {
            drop(extensions.insert(exception));
        }
        FailureKind::Error(..) | FailureKind::Panic(_) => {
            drop(extensions.insert(Provisional(failure)));
        }
    }
}

/// Returns whether a failure is attached to a response.
pub(crate) fn has_attached<B>(response: &Response<B>) -> bool {
    let extensions = response.extensions();
    !extensions.is_empty()
        && (extensions.get::<HttpException>().is_some()
            || extensions.get::<Provisional>().is_some()
            || extensions.get::<WebSocketException>().is_some()
            || has_tonic_status(extensions))
}

/// Takes the failure that is attached to a response.
pub(crate) fn detach<B>(response: &mut Response<B>) -> Option<Failure> {
    let extensions = response.extensions_mut();
    if let Some(Provisional(failure)) = extensions.remove() {
        return Some(failure);
    }
    let exception = if let Some(exception) = extensions.remove::<HttpException>() {
        Exception::Http(exception)
    } else if let Some(exception) = extensions.remove::<WebSocketException>() {
        Exception::WebSocket(exception)
    } else {
        return tonic_status(extensions);
    };
    let failure = Failure::exception(exception, Mechanism::Attached, Phase::Future);
    Some(failure)
}

/// tonic leaves a handler's status in the extensions of the response.
#[cfg(feature = "tonic")]
fn has_tonic_status(extensions: &Extensions) -> bool {
    extensions.get::<tonic::Status>().is_some()
}

/// Returns tonic's status. It stays in the extensions, for layers further out.
#[cfg(feature = "tonic")]
fn tonic_status(extensions: &Extensions) -> Option<Failure> {
    let status = extensions.get::<tonic::Status>()?.clone();
    Some(Failure {
        mechanism: Mechanism::Attached,
        ..Failure::from_error(status, Phase::Future)
    })
}

#[cfg(not(feature = "tonic"))]
fn has_tonic_status(_: &Extensions) -> bool {
    false
}

#[cfg(not(feature = "tonic"))]
fn tonic_status(_: &Extensions) -> Option<Failure> {
    None
}
