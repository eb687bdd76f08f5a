//! Headers of an exception that becomes an HTTP response.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::http::HttpException;
use crate::diagnostics;

/// Methods for the [headers](HttpException#headers).
impl HttpException {
    /// Appends a header. A name that is appended twice becomes two header lines.
    ///
    /// The server sets the headers that frame the message or belong to the connection, so that
    /// these are dropped, with a warning if the feature `tracing` is on. The exception is
    /// `connection: close`: over HTTP/1.x it closes the connection after the response. It is not
    /// sent over HTTP/2 and HTTP/3. An unconfigured layer leaves that to the server, as hyper does
    /// it.
    ///
    /// A [`HeaderMap`] holds 24,576 headers. Headers beyond that number are dropped, with a warning
    /// if the feature `tracing` is on.
    ///
    /// # Examples
    ///
    /// ```
    /// # use http::header::{HeaderValue, WWW_AUTHENTICATE};
    /// # use tower_exception::HttpException;
    /// let unauthorized = HttpException::unauthorized("Not authenticated")
    ///     .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    ///     .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
    /// assert_eq!(unauthorized.headers().len(), 2);
    /// ```
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if self.headers_mut().try_append(&name, value).is_err() {
            diagnostics::header_dropped(&name, "there are too many headers");
        }
        self
    }

    /// Appends a header whose name and value are text or bytes.
    ///
    /// # Errors
    ///
    /// Returns an error
    ///
    /// - if `name` is not a header name;
    /// - if `value` contains a line break or another control character;
    /// - if `value` is a `&str` that contains anything outside of ASCII (pass bytes for Latin-1);
    /// - if the exception already has the 24,576 headers that a [`HeaderMap`] holds.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_exception::HttpException;
    /// let exception = HttpException::bad_request("no").try_with_header("x-hint", "try again");
    /// assert!(exception.is_ok());
    ///
    /// let error = HttpException::bad_request("no").try_with_header("x hint", "try again");
    /// assert_eq!(error.unwrap_err().to_string(), "invalid HTTP header name");
    /// ```
    pub fn try_with_header<N, V>(mut self, name: N, value: V) -> Result<Self, http::Error>
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let name = name.try_into().map_err(Into::into)?;
        let value = value.try_into().map_err(Into::into)?;
        self.headers_mut().try_append(name, value)?;
        Ok(self)
    }

    /// Returns the headers that are appended to the response.
    pub fn headers(&self) -> &HeaderMap {
        static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
        self.0.kind.headers.as_ref().unwrap_or_else(|| &NONE)
    }

    /// Returns the headers that are appended to the response, mutably.
    ///
    /// # Examples
    ///
    /// ```
    /// # use http::header::{HeaderValue, CACHE_CONTROL};
    /// # use tower_exception::HttpException;
    /// let mut exception = HttpException::not_found("not yet");
    /// exception.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    /// ```
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.0.kind.headers.get_or_insert_default()
    }

    /// Returns the headers if there are any, without creating an empty map.
    pub(crate) fn headers_if_any(&self) -> Option<&HeaderMap> {
        self.0.kind.headers.as_ref()
    }

    /// Removes the headers from the exception and returns them.
    pub(crate) fn take_headers(&mut self) -> Option<HeaderMap> {
        self.0.kind.headers.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_header_is_an_error() {
        let with = |name: &str, value: &[u8]| {
            HttpException::bad_request("no")
                .try_with_header(name, value)
                .map(|exception| exception.headers().clone())
                .map_err(|error| error.to_string())
        };
        assert_eq!(with("x-latin", b"caf\xe9").unwrap().len(), 1);
        assert_eq!(with("", b"v").unwrap_err(), "invalid HTTP header name");
        assert_eq!(with("a:b", b"v").unwrap_err(), "invalid HTTP header name");
        assert_eq!(
            with("a", b"v\r\nset-cookie: x").unwrap_err(),
            "failed to parse header value"
        );
    }

    #[test]
    fn headers_beyond_the_capacity_of_a_map_are_dropped() {
        let value = HeaderValue::from_static("v");
        let mut exception = HttpException::bad_request("no");
        for i in 0..40_000 {
            let name = HeaderName::try_from(format!("x-{i}")).unwrap();
            exception = exception.with_header(name, value.clone());
        }
        assert_eq!(exception.headers().len(), 24_576);
        let error = exception.try_with_header("one-more", "v").unwrap_err();
        assert_eq!(error.to_string(), "max size reached");
    }
}
