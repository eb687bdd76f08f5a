//! Renderers: an exception's form on the wire.
//!
//! A renderer makes the body of a response and names its content type. The default is [`Json`],
//! FastAPI's `{"detail": ...}`. [`with_renderer`](crate::ExceptionLayer::with_renderer) sets
//! another one.

mod convert;
pub(crate) mod framing;
mod json;
pub(crate) mod response;

use bytes::Bytes;
use http::HeaderValue;

pub use self::json::Json;
pub(crate) use self::json::{json_length, render_json};

use crate::{caught::RequestHead, exception::HttpException};

/// Form of exceptions on the wire.
///
/// The layer decides the rest of the response: the status, the exception's headers, the length,
/// statuses without a body (204, 205, 304, and any other 3xx of an exception without a detail),
/// `HEAD`. So a renderer cannot break the framing of the message.
///
/// Closures are renderers too:
///
/// ```
/// use http::HeaderValue;
/// use tower_exception::{ExceptionLayer, HttpException, RequestHead, render::Rendered};
///
/// let layer = ExceptionLayer::new().with_renderer(|exception: &HttpException, _: &RequestHead| {
///     Rendered::new(HeaderValue::from_static("text/plain; charset=utf-8"), exception.to_string())
/// });
/// ```
///
/// If a renderer panics or raises, the client receives a plain 500 as [`Json`] renders it.
pub trait Render: Send + Sync + 'static {
    /// Renders `exception`, which the request with the head `request` receives.
    fn render(&self, exception: &HttpException, request: &RequestHead) -> Rendered;
}

#[diagnostic::do_not_recommend]
impl<F> Render for F
where
    F: Fn(&HttpException, &RequestHead) -> Rendered + Send + Sync + 'static,
{
    fn render(&self, exception: &HttpException, request: &RequestHead) -> Rendered {
        self(exception, request)
    }
}

/// Body that a renderer has made, with its content type.
///
/// ```
/// use http::HeaderValue;
/// use tower_exception::render::Rendered;
///
/// let rendered = Rendered::new(HeaderValue::from_static("text/plain"), "gone");
/// assert_eq!(rendered.content_type(), "text/plain");
/// assert_eq!(&rendered.body()[..], b"gone");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a renderer returns it to the layer"]
pub struct Rendered {
    content_type: HeaderValue,
    body: Bytes,
}

impl Rendered {
    /// Creates a body of this content type.
    pub fn new(content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self {
            content_type,
            body: body.into(),
        }
    }

    /// Returns the content type.
    pub fn content_type(&self) -> &HeaderValue {
        &self.content_type
    }

    /// Returns the body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    pub(crate) fn into_parts(self) -> (HeaderValue, Bytes) {
        (self.content_type, self.body)
    }
}
