//! The service of the last failures.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS},
};
use http_body_util::{Either, Full};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    DebugPage,
    access::Visitor,
    failure_page::failure_page,
    history::{Entry, list_json, list_page},
    markdown::markdown,
    markup::Document,
    members::members,
    renderer::{HTML, headers_of},
};
use crate::render::{MediaType, preferred};

/// Media types of the list and its entries. A browser gets the first that it prefers.
const MEDIA_TYPES: [&str; 3] = [HTML, "application/json", "text/markdown; charset=utf-8"];

/// Layer that serves the last failures: see [`DebugPage::history_layer`].
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing unless it is applied to a service"]
pub struct HistoryLayer {
    page: DebugPage,
    path: Arc<str>,
}

/// Service that serves the last failures, or passes a request on.
#[derive(Clone)]
pub struct HistoryService<S> {
    inner: S,
    layer: HistoryLayer,
}

impl DebugPage {
    /// Creates the layer that serves the last hundred failures at `path`, to the same requests that
    /// may see the page. It passes any other request on, and any at all if the page is off.
    ///
    /// The list is there as a page, as JSON and as Markdown (`text/markdown`), by the `Accept`
    /// header. A failure has its own page at `path`, a slash and its number. The layer belongs
    /// outside of any router that strips a prefix of the path, for which the links know nothing of
    /// the prefix.
    ///
    /// Pages link to the path of the first call.
    ///
    /// ```
    /// use tower::ServiceBuilder;
    /// use tower_exception::{ExceptionLayer, debug_page::DebugPage};
    ///
    /// let page = DebugPage::new();
    /// let layers = ServiceBuilder::new()
    ///     .layer(page.history_layer("/failures"))
    ///     .layer(ExceptionLayer::new().with_debug_page(page));
    /// ```
    pub fn history_layer(&self, path: impl Into<String>) -> HistoryLayer {
        let path = path.into();
        let path = format!("/{}", path.trim_matches('/'));
        self.history.path.get_or_init(|| path.clone());
        HistoryLayer {
            page: self.clone(),
            path: path.into(),
        }
    }
}

impl HistoryLayer {
    /// Returns the response to a request for the failures, or `None` for any other request.
    fn respond<B>(&self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        let rest = request.uri().path().strip_prefix(&*self.path)?;
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_read || !self.page.admits(&Visitor::of_request(request)) {
            return None;
        }
        let offers = MEDIA_TYPES.map(MediaType::read);
        let accept = request.headers().get_all(ACCEPT);
        let form = preferred(accept, &offers).unwrap_or(0);
        match rest.trim_end_matches('/') {
            "" => self.list(form),
            number => {
                let number = number.strip_prefix('/')?.parse().ok()?;
                match self.page.history.get(number) {
                    Some(entry) => self.entry(&entry, form),
                    None => Some(gone()),
                }
            }
        }
    }

    fn list(&self, form: usize) -> Option<Response<Full<Bytes>>> {
        let failures = self.page.history.all();
        match form {
            0 => page(list_page(&failures, &self.path)),
            1 => text(form, list_json(&failures).to_string()),
            _ => {
                let failures = failures.iter().map(|entry| markdown(&entry.snapshot));
                text(form, failures.collect::<Vec<_>>().join("\n"))
            }
        }
    }

    fn entry(&self, entry: &Entry, form: usize) -> Option<Response<Full<Bytes>>> {
        let snapshot = &entry.snapshot;
        match form {
            0 => page(failure_page(
                snapshot,
                &self.page.options.editor,
                Some(&self.path),
            )),
            1 => text(form, members(snapshot).to_string()),
            _ => text(form, markdown(snapshot)),
        }
    }
}

fn page(document: Result<Document, fmt::Error>) -> Option<Response<Full<Bytes>>> {
    let document = document.ok()?;
    let headers = headers_of(&document)?;
    let mut response = text(0, document.html)?;
    response.headers_mut().extend(headers);
    Some(response)
}

fn text(form: usize, body: String) -> Option<Response<Full<Bytes>>> {
    let mut response = Response::new(Full::from(body));
    let headers = response.headers_mut();
    let media_type = MEDIA_TYPES.get(form)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(response)
}

/// Returns the response for a failure that was never there, or that has left.
fn gone() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(
        "This failure is no longer among the last ones.\n",
    ));
    *response.status_mut() = StatusCode::NOT_FOUND;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

impl<S> Layer<S> for HistoryLayer {
    type Service = HistoryService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HistoryService {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, B, R> Service<Request<B>> for HistoryService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<Either<Full<Bytes>, R>>;
    type Error = S::Error;
    type Future = HistoryFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.layer.respond(&request) {
            Some(response) => HistoryFuture::Served {
                response: Some(response),
            },
            None => HistoryFuture::Passed {
                future: self.inner.call(request),
            },
        }
    }
}

impl<S> fmt::Debug for HistoryService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryService")
            .field("layer", &self.layer)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// Response future of [`HistoryService`].
    #[project = Projection]
    pub enum HistoryFuture<F> {
        #[doc(hidden)]
        Served { response: Option<Response<Full<Bytes>>> },
        #[doc(hidden)]
        Passed { #[pin] future: F },
    }
}

impl<F, R, E> Future for HistoryFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<Either<Full<Bytes>, R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projection::Served { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(Either::Left))),
                None => panic!("`HistoryFuture` polled after it was ready"),
            },
            Projection::Passed { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(Either::Right)))
            }
        }
    }
}

impl<F> fmt::Debug for HistoryFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryFuture").finish_non_exhaustive()
    }
}
