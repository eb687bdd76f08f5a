use std::{fmt, sync::Arc};

use tower_layer::Layer;

use crate::{
    ExceptionService,
    render::Render,
    settings::{Config, Custom, Plain, Settings},
};

/// Catches every exception, error and panic of the service below, and answers it.
///
/// `new()` answers in JSON, as FastAPI does, and costs next to nothing where nothing is raised. It
/// goes wherever a [`Layer`] goes; put it outside whatever may fail, and inside the layers that
/// are to see the answer: compression, tracing, CORS.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use tower::{BoxError, ServiceBuilder, ServiceExt};
/// use tower_exception::{ExceptionLayer, HttpException};
///
/// async fn items(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, BoxError> {
///     match request.uri().path() {
///         "/items/1" => Ok(Response::new(Full::from("plumbus"))),
///         _ => Err(HttpException::not_found("Item not found").into()),
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() {
/// let service = ServiceBuilder::new().layer(ExceptionLayer::new()).service_fn(items);
///
/// let request = Request::get("/items/2").body(Full::default()).unwrap();
/// let response = service.oneshot(request).await.unwrap();
/// assert_eq!(response.status(), 404);
/// let body = response.into_body().collect().await.unwrap().to_bytes();
/// assert_eq!(body, r#"{"detail":"Item not found"}"#);
/// # }
/// ```
///
/// `C` is [`Plain`] until the layer is told anything, [`Custom`] then.
#[derive(Clone, Copy, Default)]
pub struct ExceptionLayer<C = Plain> {
    settings: C,
}

impl ExceptionLayer {
    /// A layer that catches everything and renders [`Json`](crate::render::Json).
    pub fn new() -> Self {
        Self { settings: Plain }
    }
}

/// Each of these may be called on any layer, and makes it a custom one.
impl<C: Settings> ExceptionLayer<C> {
    /// Renders exceptions with `renderer` from now on.
    ///
    /// A response that an exception is attached to is rendered anew.
    ///
    /// ```
    /// use http::HeaderValue;
    /// use tower_exception::{ExceptionLayer, HttpException, RequestHead, render::Rendered};
    ///
    /// fn plain(exception: &HttpException, request: &RequestHead) -> Rendered {
    ///     let body = format!("{} {}: {exception}\n", request.method(), request.uri().path());
    ///     Rendered::new(HeaderValue::from_static("text/plain; charset=utf-8"), body)
    /// }
    ///
    /// let layer = ExceptionLayer::new().render(plain);
    /// ```
    #[must_use]
    pub fn render(self, renderer: impl Render) -> ExceptionLayer<Custom> {
        self.configure(|config| config.renderer = Arc::new(renderer))
    }

    fn configure(self, change: impl FnOnce(&mut Config)) -> ExceptionLayer<Custom> {
        let Custom(mut config) = self.settings.into_custom();
        change(Arc::make_mut(&mut config));
        ExceptionLayer {
            settings: Custom(config),
        }
    }
}

impl<S, C: Settings> Layer<S> for ExceptionLayer<C> {
    type Service = ExceptionService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        ExceptionService::new(inner, self.settings.clone())
    }
}

impl<C> fmt::Debug for ExceptionLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExceptionLayer").finish_non_exhaustive()
    }
}
