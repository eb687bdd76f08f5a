//! The head of the request that a failure belongs to.

use http::{HeaderMap, Method, Request, Uri, Version, request::Parts};

/// Head of the request that a failure belongs to.
///
/// The headers are present only under
/// [`capture_headers`](crate::ExceptionLayer::capture_headers).
///
/// A unit test of a handler or a renderer makes one from the parts of a request, with the headers:
///
/// ```
/// use http::Request;
/// use tower_exception::RequestHead;
///
/// let (parts, _) = Request::get("/items/2").body(()).unwrap().into_parts();
/// let head = RequestHead::from(&parts);
/// assert_eq!(head.uri().path(), "/items/2");
/// ```
#[derive(Clone, Debug)]
pub struct RequestHead {
    method: Method,
    uri: Uri,
    version: Version,
    /// Boxed: a map is a dozen words, which each request would move even if the map is empty.
    headers: Option<Box<HeaderMap>>,
}

impl RequestHead {
    pub(crate) fn of<B>(request: &Request<B>, with_headers: bool) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: with_headers.then(|| Box::new(request.headers().clone())),
        }
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the URI as the layer received it. A router further in may strip prefixes from it.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the version of HTTP.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the headers, or `None` unless the layer has
    /// [`capture_headers`](crate::ExceptionLayer::capture_headers).
    ///
    /// They have to be cloned for every request, and most requests raise nothing.
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.headers.as_deref()
    }
}

impl From<&Parts> for RequestHead {
    fn from(parts: &Parts) -> Self {
        Self {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            version: parts.version,
            headers: Some(Box::new(parts.headers.clone())),
        }
    }
}
