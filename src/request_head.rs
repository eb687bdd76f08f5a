use http::{HeaderMap, Method, Request, Uri, Version};

/// The head of the request that is being answered.
///
/// The headers are here only if the layer was told to keep them: see
/// [`capture_headers`](crate::ExceptionLayer::capture_headers).
#[derive(Clone, Debug)]
pub struct RequestHead {
    method: Method,
    uri: Uri,
    version: Version,
    /// Boxed: a map is a dozen words, which every request would move along, empty or not.
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

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URI, as the layer saw it: a router further in may strip prefixes off it.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The version of HTTP.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The headers; `None` but under [`capture_headers`](crate::ExceptionLayer::capture_headers), since
    /// they have to be cloned for every request, most of which raise nothing.
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.headers.as_deref()
    }
}
