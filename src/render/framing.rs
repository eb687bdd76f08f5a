//! Framing of a response: the headers of the connection, and the length for a `HEAD`.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, UPGRADE},
};
use http_body::Body;

use crate::{
    diagnostics,
    format::ResponseFormat,
    headers::{FRAMING, has_token, set},
    unwind::{catch_or, ignore_panic},
};

/// Drops the headers that the server sets. `connection: close` stays: over HTTP/1.x only the
/// application knows that the connection is of no further use (RFC 9112, section 9.6).
pub(super) fn drop_framing(headers: &mut HeaderMap, status: StatusCode) {
    let closes = has_token(headers, &CONNECTION, "close");
    // A 426 names the protocol to upgrade to (RFC 9110, section 15.5.22).
    let upgrade = match status {
        StatusCode::UPGRADE_REQUIRED => headers.remove(UPGRADE),
        _ => None,
    };
    for name in &FRAMING {
        if headers.remove(name).is_some() && !(closes && name == CONNECTION) {
            diagnostics::header_dropped(name, "the server sets it");
        }
    }
    let connection = match (upgrade.is_some(), closes) {
        // A proxy must not forward `upgrade` (RFC 9110, section 7.8).
        (true, false) => "upgrade",
        (true, true) => "upgrade, close",
        (false, true) => "close",
        (false, false) => return,
    };
    set(headers, CONNECTION, HeaderValue::from_static(connection));
    if let Some(upgrade) = upgrade {
        set(headers, UPGRADE, upgrade);
    }
}

/// Drops the headers of HTTP/1.x that an exception may set, if the request came over another
/// version (RFC 9113, section 8.2.2).
///
/// If the version is unknown, the server drops them, as hyper does.
pub(crate) fn drop_connection<B>(response: &mut Response<B>, version: Version) {
    let headers = response.headers_mut();
    if version > Version::HTTP_11 && headers.remove(CONNECTION).is_some() {
        headers.remove(UPGRADE);
    }
}

/// Makes a response to a `HEAD` request: the length of the body without the body.
pub(crate) fn without_body<T: Body, B: From<Bytes>>(
    response: Response<T>,
    format: ResponseFormat,
) -> Response<B> {
    let (head, body) = response.into_parts();
    // The body's methods and its `Drop` are user code.
    let length = catch_or(None, || match body.is_end_stream() {
        true => None,
        false => body.size_hint().exact(),
    });
    ignore_panic(|| drop(body));
    let mut response = Response::from_parts(head, B::from(Bytes::new()));
    let headers = response.headers_mut();
    match length {
        _ if format == ResponseFormat::HeadOfUnknownLength => {
            headers.remove(CONTENT_LENGTH);
        }
        Some(length) if !headers.contains_key(CONTENT_LENGTH) => {
            set(headers, CONTENT_LENGTH, length);
        }
        _ => {}
    }
    response
}
