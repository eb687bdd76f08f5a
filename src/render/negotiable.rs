//! A renderer of one media type, and any renderer as one.

use super::{Render, Rendered};
use crate::{caught::Caught, exception::HttpException};

/// Renderer of one media type, which [`Negotiated`](super::Negotiated) can choose.
///
/// ```
/// use tower_exception::render::{Negotiable, Html, Json, Problem, Text};
///
/// assert_eq!(Json.media_type(), "application/json");
/// assert_eq!(Problem::new().media_type(), "application/problem+json");
/// assert_eq!(Html::new().media_type(), "text/html; charset=utf-8");
/// assert_eq!(Text.media_type(), "text/plain; charset=utf-8");
/// ```
pub trait Negotiable: Render {
    /// Returns the media type of what the renderer renders, with its parameters.
    fn media_type(&self) -> &str;
}

/// Any renderer as the form of a media type: one more choice for
/// [`Negotiated`](super::Negotiated).
///
/// The media type is the one that a client asks for. The response has the content type that the
/// renderer says.
///
/// ```
/// use http::HeaderValue;
/// use tower_exception::{
///     Caught, HttpException,
///     render::{WithMediaType, Json, Negotiated, Rendered},
/// };
///
/// fn xml(exception: &HttpException, _: &Caught) -> Rendered {
///     let body = format!("<error status=\"{}\"/>", exception.status().as_u16());
///     Rendered::new(HeaderValue::from_static("application/xml"), body)
/// }
///
/// let renderer = Negotiated::new(Json).or(WithMediaType::new("application/xml", xml));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a form does nothing unless it is offered"]
pub struct WithMediaType<R> {
    media_type: &'static str,
    renderer: R,
}

impl<R: Render> WithMediaType<R> {
    /// Creates the form of `media_type`, which `renderer` renders.
    ///
    /// A media type that is none, such as `xml`, is chosen by `*/*` only.
    pub fn new(media_type: &'static str, renderer: R) -> Self {
        Self {
            media_type,
            renderer,
        }
    }
}

impl<R: Render> Render for WithMediaType<R> {
    fn render(&self, exception: &HttpException, caught: &Caught) -> Rendered {
        self.renderer.render(exception, caught)
    }
}

impl<R: Render> Negotiable for WithMediaType<R> {
    fn media_type(&self) -> &str {
        self.media_type
    }
}
