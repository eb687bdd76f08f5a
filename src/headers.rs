//! Header names that several rules share, and changes of a header map that cannot panic.

use std::fmt;

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        ACCEPT_RANGES, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
        ETAG, LAST_MODIFIED, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};

use crate::diagnostics;

/// Headers that frame the message or belong to the connection (RFC 9110, sections 6.6.2, 7.6.1 and
/// 8.6; RFC 9112, section 6.1). The server sets them.
pub(crate) static FRAMING: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    CONTENT_LENGTH,
    UPGRADE,
];

/// Headers that describe the content of an HTTP message (RFC 9110, sections 8.3, 8.4, 8.6 and
/// 14.4). gRPC has its own, so that none of them can be metadata.
pub(crate) static CONTENT: [HeaderName; 4] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    CONTENT_RANGE,
];

/// Shows the names of headers, and no value: any may be a secret.
pub(crate) struct HeaderNames<'a>(pub(crate) &'a HeaderMap);

impl fmt::Debug for HeaderNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.keys().map(HeaderName::as_str);
        f.debug_set().entries(names).finish()
    }
}

/// Headers that describe a body and whose name does not begin with `content-`: the validators
/// (RFC 9110, section 8.8), the ranges (section 14.3), the digests (RFC 9530; RFC 3230), and the
/// framing of the old body.
static BODY: [HeaderName; 8] = [
    ETAG,
    LAST_MODIFIED,
    ACCEPT_RANGES,
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("unencoded-digest"),
    TRAILER,
    TRANSFER_ENCODING,
];

/// Returns whether a header describes the body of its message and means nothing without it.
pub(crate) fn describes_body(name: &HeaderName) -> bool {
    match name.as_str().strip_prefix("content-") {
        // A Content Security Policy applies to whatever body there is.
        Some(rest) => !rest.starts_with("security-policy"),
        None => BODY.contains(name),
    }
}

/// Returns whether a header describes the body of a response with this status and nothing else.
pub(crate) fn describes_only_body(name: &HeaderName, status: StatusCode) -> bool {
    // In a 416, `content-range` has the length of the resource (RFC 9110, section 14.4).
    let is_of_resource = status == StatusCode::RANGE_NOT_SATISFIABLE && *name == CONTENT_RANGE;
    describes_body(name) && !is_of_resource
}

/// Removes every header that describes the body, because another body replaces it. `status` is that
/// of the response.
pub(crate) fn remove_representation(headers: &mut HeaderMap, status: StatusCode) {
    let is_removed = |name: &&HeaderName| describes_only_body(name, status);
    remove_all(headers, CONTENT.iter().chain(&BODY).filter(is_removed));
    // It is empty for most responses, and then takes no allocation.
    let others: Vec<_> = headers.keys().filter(is_removed).cloned().collect();
    remove_all(headers, &others);
}

/// Removes every header that `names` lists.
pub(crate) fn remove_all<'a>(
    headers: &mut HeaderMap,
    names: impl IntoIterator<Item = &'a HeaderName>,
) {
    for name in names {
        headers.remove(name);
    }
}

/// Returns the length that the head declares. For a `HEAD` request, it is that of the body that a
/// `GET` would receive.
pub(crate) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Returns whether a list header has a token, in any case of letters.
pub(crate) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    elements(headers, name).any(|other| other.eq_ignore_ascii_case(token.as_bytes()))
}

/// Returns the elements of a list header (RFC 9110, section 5.6.1).
pub(crate) fn elements<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// Sets a header that the response cannot do without. A [`HeaderMap`] that is full loses another
/// one.
pub(crate) fn set(headers: &mut HeaderMap, name: HeaderName, value: impl Into<HeaderValue>) {
    let value = value.into();
    if headers.try_insert(&name, value.clone()).is_ok() {
        return;
    }
    if let Some(other) = headers.keys().find(|other| **other != name).cloned() {
        headers.remove(&other);
        diagnostics::header_dropped(&other, "there are too many headers");
    }
    if headers.try_insert(&name, value).is_err() {
        diagnostics::header_dropped(&name, "there are too many headers");
    }
}

/// Returns whether a content type is that of a plain text in UTF-8 or US-ASCII, or without a
/// declared charset.
pub(crate) fn is_utf8_text(content_type: &HeaderValue) -> bool {
    let mut parts = split_unquoted(content_type.as_bytes());
    let essence = parts.next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"text/plain")
        && parts.filter_map(charset).all(|charset| {
            let is = |name: &[u8]| charset.eq_ignore_ascii_case(name);
            is(b"utf-8") || is(b"utf8") || is(b"us-ascii")
        })
}

/// Returns the value of a parameter of a content type if it is the charset (RFC 9110, section
/// 5.6.6).
fn charset(parameter: &[u8]) -> Option<&[u8]> {
    let mut name_and_value = parameter.splitn(2, |byte| *byte == b'=');
    let name = name_and_value.next()?.trim_ascii();
    let value = name_and_value.next().unwrap_or_default().trim_ascii();
    let quoted = value.strip_prefix(b"\"");
    let value = quoted
        .and_then(|value| value.strip_suffix(b"\""))
        .unwrap_or(value);
    name.eq_ignore_ascii_case(b"charset").then_some(value)
}

/// Splits at each semicolon that is not inside of a quoted string (RFC 9110, section 5.6.4).
fn split_unquoted(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    value.split(move |byte| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match byte {
            b'\\' if is_quoted => is_escaped = !was_escaped,
            b'"' if !was_escaped => is_quoted = !is_quoted,
            b';' => return !is_quoted,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charset_of_a_text() {
        for (content_type, is_read) in [
            ("text/plain", true),
            ("TEXT/Plain ;Charset=UTF-8", true),
            ("text/plain; charset=utf8", true),
            ("text/plain; charset=\"us-ascii\"; format=flowed", true),
            (r#"text/plain; note="; charset=utf-16""#, true),
            (r#"text/plain; note="\"; charset=utf-16""#, true),
            ("text/plain; charset=utf-16le", false),
            ("text/plain; format=flowed; charset=\"ISO-8859-1\"", false),
            ("text/plain; charset", false),
            ("text/plain; charset=", false),
            (r#"text/plain; note="\\"; charset=utf-16"#, false),
            ("text/html", false),
            ("text/plainer", false),
            ("", false),
        ] {
            let value = HeaderValue::from_static(content_type);
            assert_eq!(is_utf8_text(&value), is_read, "{content_type}");
        }
    }

    #[test]
    fn headers_that_describe_a_body() {
        let describes = |name| describes_body(&HeaderName::from_static(name));
        assert!(describes("content-disposition"));
        assert!(describes("content-digest"));
        assert!(describes("repr-digest"));
        assert!(describes("accept-ranges"));
        assert!(!describes("content-security-policy"));
        assert!(!describes("content-security-policy-report-only"));
        assert!(!describes("x-content-type-options"));
        assert!(!describes("vary"));
    }

    #[test]
    fn a_full_map_loses_another_header_to_a_necessary_one() {
        let mut headers = HeaderMap::new();
        for i in 0..40_000 {
            let name = HeaderName::try_from(format!("x-{i}")).unwrap();
            let _ = headers.try_append(name, HeaderValue::from(i));
        }
        let length = headers.len();
        set(&mut headers, CONTENT_LENGTH, 5);
        assert_eq!(
            (headers.len(), &headers[CONTENT_LENGTH]),
            (length, &HeaderValue::from(5))
        );
        set(&mut headers, CONTENT_LENGTH, 6);
        assert_eq!(headers[CONTENT_LENGTH], "6");
    }
}
