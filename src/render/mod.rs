//! From an exception to a response.

pub(crate) mod json;

use bytes::Bytes;
use http::HeaderValue;

use crate::{HttpException, RequestHead};

pub use json::Json;

/// Gives exceptions their form on the wire.
///
/// A renderer makes a body and names its type. The rest is the layer's: the status, the exception's
/// headers, the length, the statuses that have no body, `HEAD`. So a renderer cannot break the
/// message's framing. Closures are renderers too:
///
/// ```
/// use http::HeaderValue;
/// use tower_exception::{ExceptionLayer, HttpException, RequestHead, render::Rendered};
///
/// let layer = ExceptionLayer::new().render(|exception: &HttpException, _: &RequestHead| {
///     Rendered::new(HeaderValue::from_static("text/plain; charset=utf-8"), exception.to_string())
/// });
/// ```
///
/// A renderer that panics, or raises, is answered for with a plain 500, as [`Json`] renders it.
pub trait Render: Send + Sync + 'static {
    /// Renders `exception`, which answers `request`.
    fn render(&self, exception: &HttpException, request: &RequestHead) -> Rendered;
}

impl<F> Render for F
where
    F: Fn(&HttpException, &RequestHead) -> Rendered + Send + Sync + 'static,
{
    fn render(&self, exception: &HttpException, request: &RequestHead) -> Rendered {
        self(exception, request)
    }
}

/// What a renderer makes: a body, and the name of its type.
#[derive(Clone, Debug)]
pub struct Rendered {
    pub(crate) content_type: HeaderValue,
    pub(crate) body: Bytes,
}

impl Rendered {
    /// A body of this type.
    pub fn new(content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self {
            content_type,
            body: body.into(),
        }
    }
}
