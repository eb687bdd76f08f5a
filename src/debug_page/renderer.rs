//! The renderer of the page, around the renderer of the layer.

use std::{fmt, sync::Arc};

use http::{
    HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use super::{
    DebugPage, access::Visitor, failure_page::failure_page, markup::Document, members::with_members,
};
use crate::{
    caught::Caught,
    exception::HttpException,
    render::{Json, MediaType, Render, Rendered, preferred},
    report::Outcome,
    unwind::catch_or,
};

/// Media type of a page.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// The page and the renderer of a layer, in whichever order they were set.
#[derive(Clone, Default)]
pub(crate) struct Debugging {
    page: Option<DebugPage>,
    /// The layer's own renderer, unless it is the default.
    renderer: Option<Arc<dyn Render>>,
}

impl Debugging {
    /// Sets the layer's own renderer. Returns the one to use.
    pub(crate) fn set_renderer(
        &mut self,
        renderer: Option<Arc<dyn Render>>,
    ) -> Option<Arc<dyn Render>> {
        self.renderer = renderer;
        self.in_use()
    }

    /// Sets the page. Returns the renderer to use.
    pub(crate) fn set_page(&mut self, page: DebugPage) -> Option<Arc<dyn Render>> {
        self.page = Some(page);
        self.in_use()
    }

    fn in_use(&self) -> Option<Arc<dyn Render>> {
        let renderer = self.renderer.clone();
        match self.page.clone() {
            Some(page) => Some(Arc::new(DebugRenderer { page, renderer })),
            None => renderer,
        }
    }
}

/// Renderer that shows a page to a developer, and to anybody else what the layer's own renderer
/// renders.
struct DebugRenderer {
    page: DebugPage,
    renderer: Option<Arc<dyn Render>>,
}

impl DebugRenderer {
    /// Renders the failure for a developer.
    fn render_debug(
        &self,
        exception: &HttpException,
        caught: &Caught,
        rendered: &Rendered,
    ) -> Result<Option<Rendered>, fmt::Error> {
        let options = &self.page.options;
        let outcome = Outcome::Status(exception.status());
        let content_type = rendered.content_type().to_str().unwrap_or_default();
        // The usual response is first, since that is what a client without a preference gets.
        let offers = [content_type, HTML].map(MediaType::read);
        let is_html = content_type.starts_with("text/html")
            || preferred(caught.request().accept(), &offers) == Some(1);
        if !is_html && !options.has_members {
            return Ok(None);
        }
        let snapshot = self.page.snapshot(caught, outcome);
        if !is_html {
            let with_members = with_members(rendered, &snapshot);
            return Ok(with_members.map(|it| it.with_header(CACHE_CONTROL, NO_STORE)));
        }
        let snapshot = snapshot.with_response(rendered);
        let history = self.page.history.path.get().map(String::as_str);
        let document = failure_page(&snapshot, &options.editor, history)?;
        let headers = headers_of(&document).into_iter().flatten();
        let page = Rendered::new(HeaderValue::from_static(HTML), document.html);
        let page = headers.fold(page, |page, (name, value)| page.with_header(name, value));
        Ok(Some(
            page.with_header(VARY, HeaderValue::from_static("accept")),
        ))
    }
}

impl Render for DebugRenderer {
    fn render(&self, exception: &HttpException, caught: &Caught) -> Rendered {
        let rendered = match &self.renderer {
            Some(renderer) => renderer.render(exception, caught),
            None => Json.render(exception, caught),
        };
        let is_error = exception.status().as_u16() >= 400;
        // The exception's own type would be that of the page too.
        let own_headers = exception.headers_if_any();
        let has_type = own_headers.is_some_and(|headers| headers.contains_key(CONTENT_TYPE));
        if !is_error || has_type || !self.page.admits(&Visitor::of(caught.request())) {
            return rendered;
        }
        // The page shows texts of user code. If that fails, the response is the usual one.
        let debug = catch_or(None, || {
            self.render_debug(exception, caught, &rendered).ok()?
        });
        debug.unwrap_or(rendered)
    }

    fn negotiates(&self) -> bool {
        true
    }
}

/// Nothing of a failure is stored.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Returns the headers of a page, besides its type.
pub(super) fn headers_of(document: &Document) -> Option<[(HeaderName, HeaderValue); 4]> {
    let policy = HeaderValue::try_from(document.policy()).ok()?;
    Some([
        (CACHE_CONTROL, NO_STORE),
        (CONTENT_SECURITY_POLICY, policy),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ])
}
