//! The head of the request that a failure belongs to.

use std::fmt;

#[cfg(feature = "axum")]
use axum::extract::OriginalUri;
#[cfg(feature = "axum")]
use http::{Extensions, uri::PathAndQuery};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, request::Parts};

#[cfg(all(feature = "axum", feature = "websocket"))]
use super::unshared::copy_of_path;
#[cfg(feature = "websocket")]
use super::unshared::{copy_of_uri, copy_of_value};
use super::{
    captures::{Captured, Captures},
    request_uri::RequestUri,
};
use crate::headers::HeaderNames;

/// Head of the request that a failure belongs to.
///
/// The headers are present only under
/// [`capture_headers`](crate::ExceptionLayer::capture_headers), and an extension of the request
/// only under [`capture`](crate::ExceptionLayer::capture) of its type.
///
/// `Debug` shows the method, the path, the version and the names of the headers. The query and the
/// values of headers may hold secrets.
///
/// A unit test of a handler or a renderer makes one from the parts of a request, with the headers
/// and the extensions:
///
/// ```
/// use http::Request;
/// use tower_exception::RequestHead;
///
/// let (parts, _) = Request::get("/items/2").body(()).unwrap().into_parts();
/// let head = RequestHead::from(&parts);
/// assert_eq!(head.uri().path(), "/items/2");
/// ```
#[derive(Clone)]
pub struct RequestHead {
    method: Method,
    uri: RequestUri,
    /// The path before routers further out have stripped prefixes from it, if they have.
    #[cfg(feature = "axum")]
    whole_path: Option<PathAndQuery>,
    version: Version,
    /// Boxed: a map is a dozen words, which each request would move even if the map is empty.
    captured: Option<Box<Captured>>,
}

impl RequestHead {
    /// Returns a head without the parts of any request.
    pub(crate) fn empty() -> Self {
        Self {
            method: Method::GET,
            uri: RequestUri::default(),
            #[cfg(feature = "axum")]
            whole_path: None,
            version: Version::HTTP_11,
            captured: None,
        }
    }

    /// Clones the head of `request` into this head, which is empty.
    #[inline]
    pub(crate) fn clone_from<B>(&mut self, request: &Request<B>, captures: Option<&Captures>) {
        // Most requests have the method of the one before.
        if self.method != *request.method() {
            self.method = request.method().clone();
        }
        self.uri.clone_from(request.uri());
        #[cfg(feature = "axum")]
        if let Some(path) = whole_path(request.uri(), request.extensions()) {
            self.whole_path = Some(path);
        }
        self.version = request.version();
        if let Some(captures) = captures {
            self.captured = captures.of(request);
        }
    }

    /// Drops the parts of a request, so that the head is empty.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.uri.clear();
        // Each check spares most requests a call.
        #[cfg(feature = "axum")]
        if self.whole_path.is_some() {
            self.whole_path = None;
        }
        if self.captured.is_some() {
            self.captured = None;
        }
    }

    /// Copies the head, so that it shares no memory with the request.
    ///
    /// A server reads a head into one buffer, which lives for as long as any part of the head. A
    /// WebSocket keeps its head for as long as it is open. So a long URI is cut too.
    #[cfg(feature = "websocket")]
    pub(crate) fn unshare(&mut self) {
        self.uri = copy_of_uri(self.uri()).into();
        #[cfg(feature = "axum")]
        if let Some(path) = &self.whole_path {
            self.whole_path = copy_of_path(path);
        }
        if let Some(captured) = self.captured.as_deref_mut() {
            let values = captured.header_values_mut();
            values.for_each(|value| *value = copy_of_value(value));
        }
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the URI as the layer received it. A router further out may have stripped prefixes
    /// from it, as axum's `nest` does.
    ///
    /// If the request asks for a WebSocket, and its path and query have more than 2 KiB, they are
    /// cut after 2 KiB.
    pub fn uri(&self) -> &Uri {
        self.uri.get()
    }

    /// Returns the path that the client requested, as far as it is known.
    pub(crate) fn whole_path(&self) -> &str {
        #[cfg(feature = "axum")]
        if let Some(path) = &self.whole_path {
            return path.path();
        }
        self.uri().path()
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
        self.captured.as_deref()?.headers.as_ref()
    }

    /// Returns the lines of the `Accept` header. There are none unless the renderer negotiates, or
    /// all headers are captured.
    pub(crate) fn accept(&self) -> impl Iterator<Item = &HeaderValue> {
        self.captured
            .as_deref()
            .into_iter()
            .flat_map(Captured::accept)
    }

    /// Returns the id that the request has brought, if the layer
    /// [identifies](crate::ExceptionLayer::identify) failures by it.
    pub(crate) fn id(&self) -> Option<&str> {
        self.captured.as_deref()?.id()
    }

    /// Returns the extension of the request that has the type `T`.
    ///
    /// Returns `None` if the request had none when the layer received it, or unless the layer has
    /// [`capture::<T>()`](crate::ExceptionLayer::capture).
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.captured.as_deref()?.values.get()
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method)
            .field("path", &self.whole_path())
            .field("version", &self.version)
            .field("headers", &self.headers().map(HeaderNames))
            .finish()
    }
}

impl From<&Parts> for RequestHead {
    fn from(parts: &Parts) -> Self {
        Self {
            method: parts.method.clone(),
            uri: parts.uri.clone().into(),
            #[cfg(feature = "axum")]
            whole_path: whole_path(&parts.uri, &parts.extensions),
            version: parts.version,
            captured: Some(Box::new(Captured::new(
                Some(parts.headers.clone()),
                parts.extensions.clone(),
            ))),
        }
    }
}

/// Returns the path that axum's outermost router received, if it differs from that of `uri`.
#[cfg(feature = "axum")]
#[inline]
fn whole_path(uri: &Uri, extensions: &Extensions) -> Option<PathAndQuery> {
    let OriginalUri(original) = extensions.get()?;
    match original.path().len() == uri.path().len() {
        // Only prefixes are stripped.
        true => None,
        false => original.path_and_query().cloned(),
    }
}
