//! Header names of gRPC, and the conversion of HTTP headers to metadata.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    diagnostics,
    headers::{FRAMING, REPRESENTATION, remove_all},
};

/// Code of a status, as a decimal number.
pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Percent-encoded message of a status.
pub(crate) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Details of a status: a `google.rpc.Status` in Base64.
pub(crate) const GRPC_STATUS_DETAILS_BIN: HeaderName =
    HeaderName::from_static("grpc-status-details-bin");

/// Milliseconds that a client has to wait before it [retries], which a server may send.
///
/// [retries]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback
const GRPC_RETRY_PUSHBACK_MS: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// Removes every header that cannot be metadata, and repeats `retry-after` in gRPC's own form.
pub(crate) fn into_metadata(headers: &mut HeaderMap) {
    remove_all(headers, &REPRESENTATION);
    let dropped: Vec<_> = headers
        .iter()
        .filter(|(name, value)| is_reserved(name) || value.to_str().is_err())
        .map(|(name, _)| name.clone())
        .collect();
    for name in &dropped {
        headers.remove(name);
        diagnostics::header_dropped(name, "it cannot be gRPC metadata");
    }
    if let Some(milliseconds) = headers.get(header::RETRY_AFTER).and_then(pushback) {
        let pushback = headers.entry(GRPC_RETRY_PUSHBACK_MS);
        pushback.or_insert_with(|| milliseconds.into());
    }
}

/// Converts the seconds of a `retry-after` to milliseconds.
///
/// Returns `None` for a date, which stays in `retry-after` alone.
fn pushback(retry_after: &HeaderValue) -> Option<i32> {
    let seconds: u16 = retry_after.to_str().ok()?.parse().ok()?;
    Some(i32::from(seconds) * 1000)
}

/// Returns whether the name belongs to gRPC itself or to the connection.
fn is_reserved(name: &HeaderName) -> bool {
    let is_grpc = name.as_str().starts_with("grpc-") && name != GRPC_RETRY_PUSHBACK_MS;
    is_grpc || name == header::USER_AGENT || FRAMING.contains(name)
}
