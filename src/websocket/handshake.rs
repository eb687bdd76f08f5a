//! The opening handshake of a WebSocket.
//!
//! Over HTTP/1.1 it is an `Upgrade`
//! ([RFC 6455, section 4.2](https://www.rfc-editor.org/rfc/rfc6455#section-4.2)), over HTTP/2 an
//! extended `CONNECT` ([RFC 8441](https://www.rfc-editor.org/rfc/rfc8441)).

use std::borrow::Cow;

use bytes::Bytes;
#[cfg(feature = "axum")]
use http::request::Parts;
use http::{
    Extensions, HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{
        ALLOW, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use hyper::{ext::Protocol, upgrade::OnUpgrade};
use tungstenite::handshake::derive_accept_key;

use crate::{
    caught::unshared::copy_of_value,
    exception::HttpException,
    headers::{elements, has_token},
    render::response::empty_response,
};

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const VERSION_13: HeaderValue = HeaderValue::from_static("13");

/// Part of a handshake request that its response depends on.
pub(crate) struct Handshake {
    version: Version,
    /// `sec-websocket-key`, which the accept key is derived from. `None` over HTTP/2.
    key: Result<Option<HeaderValue>, InvalidHandshake>,
    /// Subprotocol that a refusal selects.
    protocol: Option<HeaderValue>,
}

/// Subprotocols of the server, in the order of its preference.
pub(crate) type Protocols = [Cow<'static, str>];

/// Fault of a handshake request
/// ([RFC 6455, section 4.2.1](https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1)).
#[derive(Clone, Copy)]
enum InvalidHandshake {
    Method,
    Connection,
    Key,
    Version,
    SeveralVersions,
}

/// Returns whether a request asks for a WebSocket, in a valid handshake or an invalid one, on a
/// connection that hyper can upgrade.
#[inline]
pub(crate) fn is_requested<B>(request: &Request<B>) -> bool {
    // Few requests have any, and the search in the headers takes longer.
    request.extensions().get::<OnUpgrade>().is_some() && asks_for_websocket(request)
}

#[cold]
fn asks_for_websocket<B>(request: &Request<B>) -> bool {
    match request.version() {
        // Over HTTP/1.1 a CONNECT is a tunnel, whatever its headers are.
        Version::HTTP_11 => {
            names_websocket(request.headers()) && request.method() != Method::CONNECT
        }
        Version::HTTP_2 => {
            request.method() == Method::CONNECT && has_websocket_protocol(request.extensions())
        }
        _ => false,
    }
}

/// Returns whether the head of a request that hyper can upgrade asks for a WebSocket.
#[cfg(feature = "axum")]
pub(crate) fn is_requested_by_head(head: &Parts) -> bool {
    names_websocket(&head.headers) || has_websocket_protocol(&head.extensions)
}

/// Returns whether the header `upgrade` lists `websocket`.
fn names_websocket(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
}

/// Returns whether the pseudo-header `:protocol` is `websocket`
/// ([RFC 8441, section 5](https://www.rfc-editor.org/rfc/rfc8441#section-5)).
fn has_websocket_protocol(extensions: &Extensions) -> bool {
    let protocol = extensions.get::<Protocol>();
    protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
}

impl Handshake {
    /// Reads the handshake of a request for which [`is_requested`] is true. A refusal selects one
    /// of the server's `protocols`, if there is a list.
    pub(crate) fn from_request<B>(request: &Request<B>, protocols: Option<&Protocols>) -> Self {
        Self {
            version: request.version(),
            key: validated_key(request),
            protocol: select_protocol(request.headers(), protocols),
        }
    }

    /// Returns whether [`accept`](Self::accept) accepts the handshake.
    pub(crate) fn is_valid(&self) -> bool {
        self.key.is_ok()
    }

    /// Returns whether a response with this status completes the handshake.
    pub(crate) fn succeeds_with(&self, status: StatusCode) -> bool {
        match self.version {
            Version::HTTP_2 => status.is_success(),
            _ => status == StatusCode::SWITCHING_PROTOCOLS,
        }
    }

    /// Returns whether a response that completes the handshake opens a WebSocket.
    ///
    /// A client may offer several protocols, and the server may select another one
    /// ([RFC 9110, section 7.8](https://www.rfc-editor.org/rfc/rfc9110#section-7.8)).
    pub(crate) fn is_websocket_selected(&self, response_headers: &HeaderMap) -> bool {
        self.version == Version::HTTP_2 || names_websocket(response_headers)
    }

    /// Returns the response that accepts the handshake.
    ///
    /// # Errors
    ///
    /// Returns the rejection, which tells the client the fault, if the handshake is invalid.
    pub(crate) fn accept<B: From<Bytes>>(&self) -> Result<Response<B>, HttpException> {
        let key = self.key.as_ref();
        let key = key.map_err(|fault| fault.rejection(self.version))?;
        let mut response = empty_response();
        if let Some(key) = key {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let accept = derive_accept_key(key.as_bytes());
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, WEBSOCKET);
            // Base64 is always a valid header value.
            if let Ok(accept) = HeaderValue::try_from(accept) {
                headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
            }
        }
        if let Some(protocol) = &self.protocol {
            // Browsers fail the connection if the server selects none of the offered subprotocols.
            let headers = response.headers_mut();
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol.clone());
        }
        Ok(response)
    }
}

impl InvalidHandshake {
    fn rejection(self, version: Version) -> HttpException {
        match self {
            Self::Method => HttpException::new(StatusCode::METHOD_NOT_ALLOWED)
                .with_detail("a WebSocket handshake requires the method GET")
                .with_header(ALLOW, HeaderValue::from_static("GET")),
            Self::Connection => {
                HttpException::bad_request("the header `connection` does not list `upgrade`")
            }
            Self::Key => HttpException::bad_request(
                "the header `sec-websocket-key` is not 16 bytes in base64, once",
            ),
            Self::SeveralVersions => {
                HttpException::bad_request("the header `sec-websocket-version` comes several times")
            }
            Self::Version => {
                let rejection = match version {
                    // HTTP/2 has no upgrade that a 426 could require.
                    Version::HTTP_2 => HttpException::new(StatusCode::BAD_REQUEST)
                        .with_header(SEC_WEBSOCKET_VERSION, VERSION_13),
                    _ => upgrade_required(),
                };
                rejection.with_detail("only version 13 of WebSocket is supported")
            }
        }
    }
}

/// Returns the 426 that names the protocol to upgrade to, and its version.
pub(crate) fn upgrade_required() -> HttpException {
    HttpException::new(StatusCode::UPGRADE_REQUIRED)
        .with_header(UPGRADE, WEBSOCKET)
        .with_header(SEC_WEBSOCKET_VERSION, VERSION_13)
}

/// Returns the key of a valid handshake, or the first fault of an invalid one.
fn validated_key<B>(request: &Request<B>) -> Result<Option<HeaderValue>, InvalidHandshake> {
    let headers = request.headers();
    let is_http1 = request.version() == Version::HTTP_11;
    if is_http1 && request.method() != Method::GET {
        return Err(InvalidHandshake::Method);
    }
    if is_http1 && !has_token(headers, &CONNECTION, "upgrade") {
        return Err(InvalidHandshake::Connection);
    }
    // Neither header may appear more than once
    // ([RFC 6455, sections 11.3.1 and 11.3.5](https://www.rfc-editor.org/rfc/rfc6455#section-11.3)).
    let mut versions = headers.get_all(SEC_WEBSOCKET_VERSION).iter();
    let version = versions.next();
    if versions.next().is_some() {
        return Err(InvalidHandshake::SeveralVersions);
    }
    if version != Some(&VERSION_13) {
        return Err(InvalidHandshake::Version);
    }
    if !is_http1 {
        return Ok(None);
    }
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if is_key(key.as_bytes()) => Ok(Some(copy_of_value(key))),
        _ => Err(InvalidHandshake::Key),
    }
}

/// Returns whether a key is 16 bytes in base64: 22 characters, then 2 of padding.
fn is_key(key: &[u8]) -> bool {
    let (characters, padding) = key.split_at(key.len().min(22));
    let in_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    characters.len() == 22 && characters.iter().all(in_base64) && padding == b"=="
}

/// Returns the subprotocol that a refusal selects: the first one of the server's list that the
/// client offers. Without a list it is the first one that the client offers.
///
/// Elements that are no tokens are no subprotocols, and are not echoed
/// ([RFC 6455, section 4.1](https://www.rfc-editor.org/rfc/rfc6455#section-4.1)).
fn select_protocol(headers: &HeaderMap, protocols: Option<&Protocols>) -> Option<HeaderValue> {
    let mut offered = elements(headers, &SEC_WEBSOCKET_PROTOCOL).filter(|it| is_token(it));
    let selected = match protocols {
        None => offered.next(),
        Some(protocols) => {
            let offered: Vec<_> = offered.collect();
            protocols
                .iter()
                .map(|protocol| protocol.as_bytes())
                .find(|protocol| offered.contains(protocol))
        }
    };
    HeaderValue::from_bytes(selected?).ok()
}

/// Returns whether an element is a token
/// ([RFC 9110, section 5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)).
fn is_token(element: &[u8]) -> bool {
    let is_in_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !element.is_empty() && element.iter().all(is_in_token)
}
