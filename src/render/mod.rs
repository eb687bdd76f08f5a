#![doc = include_str!("../docs/forms.md")]
#![doc = include_str!("../docs/forms_page.html")]

mod accept;
mod content;
mod convert;
pub(crate) mod framing;
mod html;
mod json;
mod members;
mod negotiable;
mod negotiated;
mod problem;
mod problem_errors;
pub(crate) mod response;
mod text;

use std::fmt;

use bytes::Bytes;
use http::{
    HeaderMap,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};

#[cfg(feature = "debug-page")]
pub(crate) use self::accept::{MediaType, preferred};
pub(crate) use self::json::{json_length, render_json, render_json_with_id};
pub use self::{
    html::{Html, HtmlText, Page},
    json::Json,
    members::Members,
    negotiable::{Negotiable, WithMediaType},
    negotiated::Negotiated,
    problem::{Problem, request_path},
    text::Text,
};

use crate::{caught::Caught, diagnostics, exception::HttpException, headers::HeaderNames};

/// Form of exceptions on the wire.
///
/// A renderer receives the exception to render and the failure for which it stands. They differ
/// for an error or a panic that no handler matches, and for the exception that a handler has
/// replied. Nothing of an error's text belongs into a response.
///
/// The layer decides the rest of the response: the status, the exception's headers, the length,
/// statuses without a body (204, 205, 304, and any other 3xx of an exception without a detail),
/// `HEAD`. So a renderer cannot break the framing of the message.
///
/// Closures are renderers too:
///
/// ```
/// use http::HeaderValue;
/// use tower_exception::{Caught, ExceptionLayer, HttpException, render::Rendered};
///
/// let layer = ExceptionLayer::new().with_renderer(|exception: &HttpException, caught: &Caught| {
///     let body = format!("{}: {exception}", caught.request().uri().path());
///     Rendered::new(HeaderValue::from_static("text/plain; charset=utf-8"), body)
/// });
/// ```
///
/// If a renderer panics or raises, the client receives a plain 500 as [`Json`] renders it.
pub trait Render: Send + Sync + 'static {
    /// Renders `exception`, which stands for the failure `caught`.
    fn render(&self, exception: &HttpException, caught: &Caught) -> Rendered;

    /// Returns whether the renderer reads the request's `Accept` header, as [`Negotiated`] does.
    /// The layer then stores that header of each request. Defaults to `false`.
    ///
    /// Only a renderer that calls a [`Negotiated`] needs another value than the default.
    fn negotiates(&self) -> bool {
        false
    }
}

#[diagnostic::do_not_recommend]
impl<F> Render for F
where
    F: Fn(&HttpException, &Caught) -> Rendered + Send + Sync + 'static,
{
    fn render(&self, exception: &HttpException, caught: &Caught) -> Rendered {
        self(exception, caught)
    }
}

/// Body that a renderer has made, with its content type and other headers.
///
/// ```
/// use http::HeaderValue;
/// use tower_exception::render::Rendered;
///
/// let rendered = Rendered::new(HeaderValue::from_static("text/plain"), "gone");
/// assert_eq!(rendered.content_type(), "text/plain");
/// assert_eq!(&rendered.body()[..], b"gone");
/// ```
#[derive(Clone)]
#[must_use = "a renderer returns it to the layer"]
pub struct Rendered {
    content: Content,
    /// Boxed: an empty map is a dozen words.
    headers: Option<Box<HeaderMap>>,
}

/// Body of a rendering, with its content type and no other header.
#[derive(Clone)]
pub(crate) struct Content {
    content_type: HeaderValue,
    body: Bytes,
}

/// Result of a renderer. The default renderer has no headers, which costs nothing if its type says
/// so.
pub(crate) trait IntoParts {
    fn into_parts(self) -> (Content, Option<Box<HeaderMap>>);
}

impl IntoParts for Content {
    #[inline]
    fn into_parts(self) -> (Content, Option<Box<HeaderMap>>) {
        (self, None)
    }
}

impl IntoParts for Rendered {
    fn into_parts(self) -> (Content, Option<Box<HeaderMap>>) {
        (self.content, self.headers)
    }
}

impl From<Content> for Rendered {
    fn from(content: Content) -> Self {
        Self {
            content,
            headers: None,
        }
    }
}

impl Rendered {
    /// Creates a body of this content type.
    pub fn new(content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self {
            content: Content {
                content_type,
                body: body.into(),
            },
            headers: None,
        }
    }

    /// Appends a header to the response, such as `vary` or `content-language`.
    ///
    /// A `content-type` replaces that of [`new`](Self::new). The headers that an exception
    /// [cannot set](HttpException#headers) are dropped here too. The response to a `HEAD` request
    /// has the headers of the response to a `GET`. A response without a body has none of them.
    ///
    /// ```
    /// use http::header::{CONTENT_LANGUAGE, HeaderValue};
    /// use tower_exception::render::Rendered;
    ///
    /// let rendered = Rendered::new(HeaderValue::from_static("text/plain"), "perdu")
    ///     .with_header(CONTENT_LANGUAGE, HeaderValue::from_static("fr"));
    /// assert_eq!(rendered.headers().unwrap()["content-language"], "fr");
    /// ```
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if name == CONTENT_TYPE {
            self.content.content_type = value;
            return self;
        }
        let headers = self.headers.get_or_insert_default();
        if headers.try_append(&name, value).is_err() {
            diagnostics::header_dropped(&name, "there are too many headers");
        }
        self
    }

    /// Returns the content type.
    pub fn content_type(&self) -> &HeaderValue {
        &self.content.content_type
    }

    /// Returns the body.
    pub fn body(&self) -> &Bytes {
        &self.content.body
    }

    /// Returns the headers that [`with_header`](Self::with_header) has appended, or `None` if there
    /// are none.
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.headers.as_deref()
    }
}

/// Shows of the headers the names only.
impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered")
            .field("content_type", self.content_type())
            .field("body", self.body())
            .field("headers", &self.headers().map(HeaderNames))
            .finish()
    }
}
