//! Copies of a request's parts that share no memory with the request.

use http::{HeaderValue, Uri, uri::PathAndQuery};

/// Length to which the path and the query of a WebSocket's URI are cut: many times the length of
/// usual ones, and a quarter of the memory that an open WebSocket may take.
const MAX_KEPT_PATH_BYTES: usize = 2048;

/// Length up to which the authority of a WebSocket's URI is preserved: twice the length of the
/// longest host name.
const MAX_KEPT_AUTHORITY_BYTES: usize = 512;

/// Returns a copy of limited length that shares no memory with `uri`.
pub(super) fn copy_of_uri(uri: &Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.authority = parts.authority.and_then(|authority| {
        let authority = authority.as_str();
        let is_kept = authority.len() <= MAX_KEPT_AUTHORITY_BYTES;
        is_kept.then(|| authority.parse().ok()).flatten()
    });
    if parts.authority.is_none() {
        // A URI without an authority has no scheme.
        parts.scheme = None;
    }
    parts.path_and_query = parts.path_and_query.as_ref().and_then(copy_of_path);
    Uri::from_parts(parts).unwrap_or_default()
}

/// Returns a copy of limited length that shares no memory with `path`.
pub(super) fn copy_of_path(path: &PathAndQuery) -> Option<PathAndQuery> {
    let path = path.as_str();
    let end = (0..=path.len().min(MAX_KEPT_PATH_BYTES))
        .rev()
        .find(|end| path.is_char_boundary(*end));
    path[..end.unwrap_or_default()].parse().ok()
}

/// Returns a copy that shares no memory with `value`.
pub(crate) fn copy_of_value(value: &HeaderValue) -> HeaderValue {
    let Ok(mut copy) = HeaderValue::from_bytes(value.as_bytes()) else {
        return HeaderValue::from_static("");
    };
    copy.set_sensitive(value.is_sensitive());
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_of_a_uri_equals_it_unless_it_is_long() {
        for uri in [
            "/",
            "*",
            "/chat?room=1",
            "//a//b",
            "http://host:80/chat?a=%20",
            "host:443",
        ] {
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(copy_of_uri(&uri), uri);
        }
        let long = "ä".repeat(4000);
        let uri = Uri::from_maybe_shared(format!("/{long}").into_bytes()).unwrap();
        let copy = copy_of_uri(&uri);
        assert_eq!(copy.path().len(), MAX_KEPT_PATH_BYTES - 1);
        assert!(uri.path().starts_with(copy.path()));
        let uri: Uri = format!("http://{}/chat", "h".repeat(600)).parse().unwrap();
        assert_eq!(copy_of_uri(&uri), "/chat");
    }

    #[test]
    fn the_copy_of_a_value_equals_it() {
        let mut value = HeaderValue::from_bytes(b"caf\xe9").unwrap();
        value.set_sensitive(true);
        let copy = copy_of_value(&value);
        assert_eq!(copy, value);
        assert!(copy.is_sensitive());
    }
}
