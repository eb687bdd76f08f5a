//! The response of an error that user code has converted, and that no layer has inspected yet.

use http::Extensions;
#[cfg(feature = "axum")]
use {bytes::Bytes, http::Response};

use crate::caught::failure::Failure;
#[cfg(feature = "axum")]
use crate::{
    caught::returned::UnhandledFailure, format::ResponseFormat, render::response::fallback_response,
};

/// Returns the plain 500 that carries `failure`.
#[cfg(feature = "axum")]
pub(crate) fn unhandled_response<B: From<Bytes>>(failure: Failure) -> Response<B> {
    let mut response = fallback_response::<Bytes>(ResponseFormat::Http, None);
    response.extensions_mut().insert(UnhandledFailure(failure));
    response.map(B::from)
}

#[cfg(feature = "axum")]
pub(super) fn has_unhandled(extensions: &Extensions) -> bool {
    extensions.get::<UnhandledFailure>().is_some()
}

/// Takes the failure that no layer has inspected.
#[cfg(feature = "axum")]
pub(super) fn take_unhandled(extensions: &mut Extensions) -> Option<Failure> {
    let UnhandledFailure(failure) = extensions.remove()?;
    Some(failure)
}

#[cfg(not(feature = "axum"))]
pub(super) fn has_unhandled(_: &Extensions) -> bool {
    false
}

#[cfg(not(feature = "axum"))]
pub(super) fn take_unhandled(_: &mut Extensions) -> Option<Failure> {
    None
}
