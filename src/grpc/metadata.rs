//! Header names of gRPC, and the conversion of HTTP headers to metadata.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    diagnostics,
    headers::{CONTENT, FRAMING, remove_all, set},
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
    remove_all(headers, &CONTENT);
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
        if !headers.contains_key(GRPC_RETRY_PUSHBACK_MS) {
            set(headers, GRPC_RETRY_PUSHBACK_MS, milliseconds);
        }
    }
}

/// Removes metadata until the rest takes at most `max_bytes`.
///
/// The longest goes first, so that as many names as possible stay. All lines of a name stay or go
/// together.
pub(crate) fn limit_metadata(headers: &mut HeaderMap, max_bytes: usize) {
    let is_metadata = |name: &HeaderName| {
        let fields = [
            header::CONTENT_TYPE,
            GRPC_STATUS,
            GRPC_MESSAGE,
            GRPC_STATUS_DETAILS_BIN,
        ];
        !fields.contains(name)
    };
    let sum: usize = headers
        .iter()
        .filter(|(name, _)| is_metadata(name))
        .map(|(name, value)| len(name, value))
        .sum();
    if sum <= max_bytes {
        return;
    }
    let mut names: Vec<_> = headers
        .keys()
        .filter(|name| is_metadata(name))
        .map(|name| {
            let lines = headers.get_all(name).iter();
            let len: usize = lines.map(|value| len(name, value)).sum();
            (len, name.clone())
        })
        .collect();
    names.sort_by_key(|(len, _)| *len);
    let mut left = max_bytes;
    for (len, name) in names {
        match left.checked_sub(len) {
            Some(rest) => left = rest,
            None => {
                headers.remove(&name);
                diagnostics::header_dropped(&name, "the gRPC status is too long with it");
            }
        }
    }
}

/// Returns the length of a header as clients count it (RFC 9113, section 6.5.2).
fn len(name: &HeaderName, value: &HeaderValue) -> usize {
    name.as_str().len() + value.len() + 32
}

/// Converts the seconds of a `retry-after` to milliseconds.
///
/// Returns `None` for a date, which stays in `retry-after` alone.
fn pushback(retry_after: &HeaderValue) -> Option<i32> {
    let seconds: u16 = retry_after.to_str().ok()?.parse().ok()?;
    Some(i32::from(seconds) * 1000)
}

/// Returns whether a header of this name can be metadata.
#[cfg(feature = "tonic")]
pub(crate) fn is_metadata(name: &HeaderName) -> bool {
    !is_reserved(name) && !CONTENT.contains(name)
}

/// Returns whether the name belongs to gRPC itself or to the connection.
fn is_reserved(name: &HeaderName) -> bool {
    let is_grpc = name.as_str().starts_with("grpc-") && name != GRPC_RETRY_PUSHBACK_MS;
    is_grpc || name == header::USER_AGENT || FRAMING.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_metadata_is_dropped_first() {
        let value = |len: usize| HeaderValue::try_from("v".repeat(len)).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("link", value(9_000));
        headers.insert("x-a", value(10));
        headers.append("x-b", value(100));
        headers.append("x-b", value(100));
        headers.insert(GRPC_MESSAGE, value(6_000));
        headers.insert(header::CONTENT_TYPE, value(16));
        let remaining = |max_bytes| {
            let mut headers = headers.clone();
            limit_metadata(&mut headers, max_bytes);
            let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
            names.sort_unstable();
            names.join(" ")
        };
        let all = "content-type grpc-message link x-a x-b";
        assert_eq!(remaining(20_000), all);
        assert_eq!(remaining(9_000 + 36 + 10 + 35 + 2 * 135), all);
        assert_eq!(remaining(9_000), "content-type grpc-message x-a x-b");
        assert_eq!(
            remaining(10 + 35 + 2 * 135 - 1),
            "content-type grpc-message x-a"
        );
        assert_eq!(remaining(0), "content-type grpc-message");
    }
}
