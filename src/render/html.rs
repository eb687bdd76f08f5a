//! The form of an exception for a browser: one small page.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use http::{HeaderValue, StatusCode};

use super::{Negotiable, Render, Rendered};
use crate::{
    caught::Caught,
    exception::{Detail, Fault, HttpException},
};

const MEDIA_TYPE: &str = "text/html; charset=utf-8";

/// The page without its texts. It loads nothing, runs no script, and follows the reader's choice of
/// colors, of the size of letters and of the width.
const HEAD: &str = include_str!("page.html");

/// Renderer of a small page as `text/html`: the status, the title, the detail, and the faults of
/// the request.
///
/// Every text is escaped. The page is readable in dark and light and on narrow screens. It loads
/// nothing and runs no script. Its style is inline: under a Content Security Policy that forbids
/// inline styles the browser shows the page without it.
///
/// [`with_page`](Self::with_page) sets another page.
///
/// ```
/// use tower_exception::{ExceptionLayer, render::Html};
///
/// let layer = ExceptionLayer::new().with_renderer(Html::new());
/// ```
#[derive(Clone, Default)]
#[must_use = "a renderer does nothing unless a layer has it"]
pub struct Html {
    page: Option<Arc<MakePage>>,
}

type MakePage = dyn Fn(&Page<'_>) -> String + Send + Sync;

/// Contents of a page: the texts that [`Html`] shows.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Page<'a> {
    /// The status of the response.
    pub status: StatusCode,
    /// The title: that of the exception ([`with_title`](HttpException::with_title)), the canonical
    /// reason of the status, or its number if it has none.
    pub title: HtmlText<'a>,
    /// The detail, if the exception has one. A detail in JSON is shown as JSON.
    pub detail: Option<HtmlText<'a>>,
    /// The faults of the request that the exception lists. Their `Display` is not escaped.
    pub faults: &'a [Fault],
    /// The id of the failure, if the layer [identifies](crate::ExceptionLayer::identify) failures.
    pub id: Option<HtmlText<'a>>,
}

/// Text in HTML, which is escaped by `Display`: `format!("<h1>{}</h1>", page.title)` is safe.
///
/// It is safe as the text of an element and in a quoted attribute. It is not in an attribute
/// without quotes, in a script, in a style, or in an attribute that holds a URL.
///
/// The character NUL, which HTML cannot express, becomes U+FFFD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HtmlText<'a>(&'a str);

impl Html {
    /// Creates the renderer of the page of this crate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the function that makes the whole page.
    ///
    /// ```
    /// use tower_exception::render::{Html, Page};
    ///
    /// fn page(page: &Page<'_>) -> String {
    ///     let detail = page.detail.map(|detail| format!("<p>{detail}")).unwrap_or_default();
    ///     format!("<!doctype html><title>{0}</title><h1>{0}</h1>{detail}", page.title)
    /// }
    ///
    /// let html = Html::new().with_page(page);
    /// ```
    pub fn with_page(mut self, page: impl Fn(&Page<'_>) -> String + Send + Sync + 'static) -> Self {
        self.page = Some(Arc::new(page));
        self
    }
}

impl Render for Html {
    fn render(&self, exception: &HttpException, caught: &Caught) -> Rendered {
        let status = exception.status();
        let reason = status.canonical_reason().unwrap_or(status.as_str());
        let title = exception.title().unwrap_or(reason);
        let detail = match exception.own_detail() {
            Detail::Canonical => "",
            Detail::Text(detail) => detail,
            Detail::Json(detail) => detail.get(),
        };
        let page = Page {
            status,
            title: HtmlText(title),
            detail: (!detail.is_empty()).then_some(HtmlText(detail)),
            faults: exception.faults(),
            id: caught.id().map(HtmlText),
        };
        let body = match &self.page {
            Some(make) => make(&page),
            None => default_page(&page),
        };
        Rendered::new(HeaderValue::from_static(MEDIA_TYPE), body)
    }
}

impl Negotiable for Html {
    fn media_type(&self) -> &str {
        MEDIA_TYPE
    }
}

impl fmt::Debug for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Html").finish_non_exhaustive()
    }
}

fn default_page(page: &Page<'_>) -> String {
    let Page {
        status,
        title,
        detail,
        faults,
        id,
    } = page;
    let status = status.as_str();
    let mut html = String::from(HEAD);
    // A `String` cannot fail.
    let _ = match status == title.as_str() {
        true => write!(html, "<title>{title}</title>\n<main>\n"),
        false => write!(
            html,
            "<title>{status} {title}</title>\n<main>\n<p class=\"status\">{status}</p>\n"
        ),
    };
    let _ = writeln!(html, "<h1>{title}</h1>");
    if let Some(detail) = detail {
        let _ = writeln!(html, "<p class=\"detail\">{detail}</p>");
    }
    if !faults.is_empty() {
        html.push_str("<ul>\n");
        for fault in *faults {
            let _ = writeln!(html, "<li>{}</li>", HtmlText(&fault.to_string()));
        }
        html.push_str("</ul>\n");
    }
    if let Some(id) = id {
        let _ = writeln!(html, "<p class=\"id\">Error id: <code>{id}</code></p>");
    }
    html.push_str("</main>\n</html>\n");
    html
}

impl<'a> HtmlText<'a> {
    /// Creates a text to be shown.
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Returns the text as it is, not escaped.
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for HtmlText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(position) = rest.find(['&', '<', '>', '"', '\'', '\r', '\0']) {
            let (harmless, from_special) = rest.split_at(position);
            f.write_str(harmless)?;
            let mut chars = from_special.chars();
            f.write_str(match chars.next() {
                Some('&') => "&amp;",
                Some('<') => "&lt;",
                Some('>') => "&gt;",
                Some('"') => "&quot;",
                Some('\'') => "&#39;",
                // A parser would make it a line feed.
                Some('\r') => "&#13;",
                _ => "\u{fffd}",
            })?;
            rest = chars.as_str();
        }
        f.write_str(rest)
    }
}
