//! Lists of header names that several rules share.

use http::{
    HeaderMap, HeaderName,
    header::{
        CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
};

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

/// Headers that describe a body and mean nothing without it (RFC 9110, sections 8.3, 8.4, 8.6 and
/// 14.4).
pub(crate) static REPRESENTATION: [HeaderName; 4] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    CONTENT_RANGE,
];

/// Removes every header that `names` lists.
pub(crate) fn remove_all(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}
