//! A WebSocket's opening handshake: over HTTP/1.1 by `Upgrade`
//! ([RFC 6455, section 4.2](https://www.rfc-editor.org/rfc/rfc6455#section-4.2)), over HTTP/2 by an extended
//! `CONNECT` ([RFC 8441](https://www.rfc-editor.org/rfc/rfc8441)).

use bytes::Bytes;
#[cfg(feature = "axum")]
use http::request::Parts;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use hyper::ext::Protocol;
use tungstenite::handshake::derive_accept_key;

use crate::HttpException;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const VERSION_13: HeaderValue = HeaderValue::from_static("13");

/// What a client asks for, and what it has to be told for that.
pub struct Handshake {
    version: Version,
    /// What the accept key is made of, which there is over HTTP/1.1 alone.
    key: Result<Option<HeaderValue>, Malformed>,
    /// The first subprotocol that the client offers.
    protocol: Option<HeaderValue>,
}

/// Why no WebSocket can come of it.
#[derive(Clone, Copy)]
enum Malformed {
    Method,
    Connection,
    Key,
    Version,
}

/// Whether a request asks for a WebSocket, in whatever form.
#[inline]
pub fn is_asked_for<B>(request: &Request<B>) -> bool {
    match request.version() {
        // A CONNECT is a tunnel, whatever else it says.
        Version::HTTP_11 => is_named(request.headers()) && request.method() != Method::CONNECT,
        Version::HTTP_2 => request.method() == Method::CONNECT && is_protocol(request.extensions()),
        _ => false,
    }
}

/// The same of the head of one that hyper would upgrade.
#[cfg(feature = "axum")]
pub fn is_upgrade_asked_for(head: &Parts) -> bool {
    is_named(&head.headers) || is_protocol(&head.extensions)
}

fn is_named(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
}

fn is_protocol(extensions: &Extensions) -> bool {
    let protocol = extensions.get::<Protocol>();
    protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
}

impl Handshake {
    /// The handshake of a request that [asks for one](is_asked_for).
    pub fn of<B>(request: &Request<B>) -> Self {
        Self {
            version: request.version(),
            key: key(request),
            protocol: first_protocol(request.headers()),
        }
    }

    /// Whether a response with this status ends the handshake well.
    pub fn succeeds_with(&self, status: StatusCode) -> bool {
        match self.version {
            Version::HTTP_2 => status.is_success(),
            _ => status == StatusCode::SWITCHING_PROTOCOLS,
        }
    }

    /// Whether it is a WebSocket that such a response has opened. A client may offer several protocols, of which the
    /// server takes up another one ([RFC 9110, section 7.8](https://www.rfc-editor.org/rfc/rfc9110#section-7.8)).
    pub fn is_taken_up_by(&self, response: &HeaderMap) -> bool {
        self.version == Version::HTTP_2 || is_named(response)
    }

    /// The answer that makes it a WebSocket.
    ///
    /// # Errors
    ///
    /// What is wrong with the handshake, for the client to be told.
    pub fn accept<B: From<Bytes>>(&self) -> Result<Response<B>, HttpException> {
        let key = self.key.as_ref();
        let key = key.map_err(|malformed| malformed.exception(self.version))?;
        let mut response = Response::new(B::from(Bytes::new()));
        if let Some(key) = key {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let accept = derive_accept_key(key.as_bytes());
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, WEBSOCKET);
            // Base64 is always a header's value.
            if let Ok(accept) = HeaderValue::try_from(accept) {
                headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
            }
        }
        if let Some(protocol) = &self.protocol {
            // Browsers fail a connection whose server takes up none of the subprotocols that they offer.
            let headers = response.headers_mut();
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol.clone());
        }
        Ok(response)
    }
}

impl Malformed {
    fn exception(self, over: Version) -> HttpException {
        match self {
            Self::Method => HttpException::bad_request("a WebSocket is opened by a GET"),
            Self::Connection => {
                HttpException::bad_request("the header `connection` does not say `upgrade`")
            }
            Self::Key => HttpException::bad_request(
                "the header `sec-websocket-key` is not 16 bytes in base64",
            ),
            Self::Version => {
                let exception = match over {
                    // There is no upgrade in HTTP/2 that could be required.
                    Version::HTTP_2 => HttpException::new(StatusCode::BAD_REQUEST),
                    _ => HttpException::new(StatusCode::UPGRADE_REQUIRED)
                        .with_header(UPGRADE, WEBSOCKET),
                };
                exception
                    .with_detail("the version of WebSocket that is spoken here is 13")
                    .with_header(SEC_WEBSOCKET_VERSION, VERSION_13)
            }
        }
    }
}

/// The key of a handshake that is a proper one.
fn key<B>(request: &Request<B>) -> Result<Option<HeaderValue>, Malformed> {
    let headers = request.headers();
    let is_http1 = request.version() == Version::HTTP_11;
    if is_http1 && request.method() != Method::GET {
        return Err(Malformed::Method);
    }
    if is_http1 && !has_token(headers, &CONNECTION, "upgrade") {
        return Err(Malformed::Connection);
    }
    if headers.get(SEC_WEBSOCKET_VERSION) != Some(&VERSION_13) {
        return Err(Malformed::Version);
    }
    if !is_http1 {
        return Ok(None);
    }
    match headers.get(SEC_WEBSOCKET_KEY) {
        Some(key) if is_key(key.as_bytes()) => Ok(Some(key.clone())),
        _ => Err(Malformed::Key),
    }
}

/// Whether this is 16 bytes in base64: 22 characters, and two of padding.
fn is_key(key: &[u8]) -> bool {
    let (characters, padding) = key.split_at(key.len().min(22));
    let in_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    characters.len() == 22 && characters.iter().all(in_base64) && padding == b"=="
}

fn first_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let first = tokens(headers, &SEC_WEBSOCKET_PROTOCOL).next()?;
    HeaderValue::from_bytes(first).ok()
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|other| other.eq_ignore_ascii_case(token.as_bytes()))
}

/// The elements of a header that is a list (RFC 9110, section 5.6.1).
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}
