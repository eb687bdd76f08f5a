#![doc = include_str!("docs/layers.md")]

mod adoption;
#[cfg(feature = "debug-page")]
mod debugging;
mod finding;
#[cfg(feature = "tracing")]
mod reporting;

use std::{error::Error, fmt, sync::Arc};

use tower_layer::Layer;

#[cfg(feature = "websocket")]
use crate::websocket::WebSockets;
use crate::{
    caught::{Caught, Panic},
    exception::HttpException,
    exchange::{Config, Configured, LayerConfig, Unconfigured},
    handler::{Handler, StatusRange},
    handling::Handling,
    render::Render,
    report::Outcome,
    service::ExceptionService,
};

/// Layer that catches every exception, error and panic of the service below, and responds to the
/// client.
///
/// `new()` responds in JSON, as FastAPI does, and costs next to nothing if nothing is raised. Put
/// the layer outside of everything that may fail, and inside of the layers that process the
/// response: compression, tracing, CORS, sessions. The [guide to the order of layers](crate::layer)
/// has a place for each.
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
/// `C` is [`Unconfigured`] for a layer of [`new`](Self::new), and [`Configured`] after any other
/// method.
///
#[doc = include_str!("docs/optional.md")]
#[derive(Clone, Copy, Default)]
#[must_use = "a layer does nothing unless it is applied to a service"]
pub struct ExceptionLayer<C = Unconfigured> {
    pub(crate) config: C,
}

impl ExceptionLayer {
    /// Creates a layer that catches every failure and renders [`Json`](crate::render::Json).
    pub fn new() -> Self {
        Self {
            config: Unconfigured,
        }
    }
}

/// Configuration. Each method is available on any layer and returns a configured one.
impl<C: LayerConfig> ExceptionLayer<C> {
    /// Handles errors of the type `E`.
    ///
    /// The compiler reads `E` from the handler's argument. The layer searches the failure's chain
    /// of sources, the outermost error first, down to the first exception. `E` is any error, an
    /// [`HttpException`], a [`WebSocketException`](crate::WebSocketException), either of them
    /// ([`Exception`](crate::Exception)), or a [`Panic`]. The [guide](crate::handler) says which
    /// handler replies if several match.
    ///
    /// An error of the type is found as itself, in a `Box` or an `Arc`, and with the features
    /// `anyhow` and `eyre` in their reports. A panic whose payload is an `E`
    /// ([`std::panic::panic_any`]) counts as that error. [`reveal`](Self::reveal) opens an error
    /// that hides the one that it holds.
    ///
    /// If several handlers are registered for one type, the last one is asked first. If it
    /// [declines](crate::Reply::decline), the one before it is asked, and so on.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_exception::{Caught, ExceptionLayer, HttpException};
    ///
    /// async fn invalid(_: Caught<std::num::ParseIntError>) -> StatusCode {
    ///     StatusCode::BAD_REQUEST
    /// }
    ///
    /// let layer = ExceptionLayer::new()
    ///     .on(|error: Caught<std::io::Error>| {
    ///         HttpException::bad_gateway(format!("upstream: {:?}", error.kind()))
    ///     })
    ///     .on(invalid);
    /// ```
    pub fn on<E, M>(self, handler: impl Handler<E, M>) -> ExceptionLayer<Configured>
    where
        E: Error + Send + Sync + 'static,
    {
        self.configure(|handling| {
            handling.handlers.on(handler);
            handling.reporting.types.add::<E>();
        })
    }

    /// Handles every failure with one of these statuses: a [`StatusCode`](http::StatusCode) or a
    /// [range](crate::handler::StatusRange), such as `400..=499`.
    ///
    /// For an [`HttpException`], the handler comes before any handler for a type. For any other
    /// failure the status is the one that it has by default, such as 500 for an unknown error and a
    /// panic. The handler then comes after those for a type. It receives the exception that stands
    /// for the failure; [`outermost`](Caught::outermost) is the failure itself.
    ///
    /// A handler for one status comes before one for a range. Otherwise the last one that was
    /// registered is asked first.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_exception::{Caught, ExceptionLayer, HttpException};
    ///
    /// let layer = ExceptionLayer::new()
    ///     .on_status(StatusCode::NOT_FOUND, |exception: Caught<HttpException>| {
    ///         let path = exception.request().uri().path();
    ///         HttpException::not_found(format!("there is no {path}"))
    ///     })
    ///     // Server errors, panics and errors of unknown types.
    ///     .on_status(500..=599, |exception: Caught<HttpException>| {
    ///         HttpException::new(exception.status()).with_detail("we are looking into it")
    ///     });
    /// ```
    pub fn on_status<M>(
        self,
        statuses: impl StatusRange,
        handler: impl Handler<HttpException, M>,
    ) -> ExceptionLayer<Configured> {
        let statuses = statuses.into_range();
        self.configure(|handling| handling.handlers.on_status(statuses, handler))
    }

    /// Handles panics, as [`on`](Self::on) does for [`Panic`].
    ///
    /// ```
    /// use tower_exception::{Caught, ExceptionLayer, HttpException, Panic};
    ///
    /// let layer = ExceptionLayer::new().on_panic(|panic: Caught<Panic>| {
    ///     eprintln!("{}: {:?}", panic.request().uri(), panic.message());
    ///     HttpException::internal_server_error("we are looking into it")
    /// });
    /// ```
    pub fn on_panic<M>(self, handler: impl Handler<Panic, M>) -> ExceptionLayer<Configured> {
        self.on(handler)
    }

    /// Handles every failure that no other handler matches, or to which none has replied.
    ///
    /// ```
    /// use tower_exception::{Caught, ExceptionLayer, HttpException};
    ///
    /// let layer = ExceptionLayer::new()
    ///     .on_any(|_: Caught| HttpException::internal_server_error("it broke"));
    /// ```
    pub fn on_any<M>(
        self,
        handler: impl Handler<dyn Error + Send + Sync, M>,
    ) -> ExceptionLayer<Configured> {
        self.configure(|handling| handling.handlers.on_any(handler))
    }

    /// Calls `observer` once for each failure, after the response has been decided.
    ///
    /// An observer cannot change the response; a panic in it is ignored. A layer may have several.
    ///
    /// Observers also receive exceptions that an inner layer or the service itself has rendered,
    /// failures in a response body, and failures of a handler or a renderer in addition to the
    /// failure that it handled.
    ///
    /// ```
    /// use tower_exception::{Caught, ExceptionLayer, Outcome};
    ///
    /// let layer = ExceptionLayer::new().observe(|caught: &Caught, outcome: Outcome| {
    ///     eprintln!("{} -> {outcome:?}: {caught}", caught.request().uri());
    /// });
    /// ```
    pub fn observe(
        self,
        observer: impl Fn(&Caught, Outcome) + Send + Sync + 'static,
    ) -> ExceptionLayer<Configured> {
        self.configure(|handling| handling.reporting.observers.add(observer))
    }

    /// Sets the renderer of exceptions. Defaults to [`Json`](crate::render::Json).
    ///
    /// An exception that is attached to a response is rendered again. A gRPC status has a
    /// [form of its own](crate::grpc), which no renderer changes.
    ///
    /// ```
    /// use http::HeaderValue;
    /// use tower_exception::{Caught, ExceptionLayer, HttpException, render::Rendered};
    ///
    /// fn plain(exception: &HttpException, caught: &Caught) -> Rendered {
    ///     let request = caught.request();
    ///     let body = format!("{} {}: {exception}\n", request.method(), request.uri().path());
    ///     Rendered::new(HeaderValue::from_static("text/plain; charset=utf-8"), body)
    /// }
    ///
    /// let layer = ExceptionLayer::new().with_renderer(plain);
    /// ```
    pub fn with_renderer(self, renderer: impl Render) -> ExceptionLayer<Configured> {
        self.change(|config| config.set_renderer(renderer))
    }

    /// Turns the exceptions of WebSockets into close frames, before and after the handshake.
    ///
    /// See the [guide](crate::websocket).
    ///
    /// ```
    /// use axum::{Router, extract::ws::WebSocketUpgrade, response::Response, routing::any};
    /// use tower_exception::{CloseCode, ExceptionLayer, WebSocketException, WebSockets};
    ///
    /// async fn before(_: WebSocketUpgrade) -> Response {
    ///     WebSocketException::new(CloseCode::UNAUTHORIZED).with_reason("who are you?").raise()
    /// }
    ///
    /// async fn after(upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.on_upgrade(async |_socket| {
    ///         WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no swearing").raise()
    ///     })
    /// }
    ///
    /// let app: Router = Router::new()
    ///     .route("/before", any(before))
    ///     .route("/after", any(after))
    ///     .layer(ExceptionLayer::new().with_websockets(WebSockets::new()));
    /// ```
    #[cfg(feature = "websocket")]
    pub fn with_websockets(self, websockets: WebSockets) -> ExceptionLayer<Configured> {
        self.change(|config| config.set_websockets(websockets))
    }

    fn configure(self, change: impl FnOnce(&mut Handling)) -> ExceptionLayer<Configured> {
        self.change(|config| config.handling.change(change))
    }

    pub(crate) fn change(self, change: impl FnOnce(&mut Config)) -> ExceptionLayer<Configured> {
        let mut config = self.config.into_config();
        change(Arc::make_mut(&mut config));
        ExceptionLayer {
            config: Configured::new(config),
        }
    }
}

impl<S, C: LayerConfig> Layer<S> for ExceptionLayer<C> {
    type Service = ExceptionService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        ExceptionService::with_config(inner, self.config.clone())
    }
}

impl<C> fmt::Debug for ExceptionLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExceptionLayer").finish_non_exhaustive()
    }
}
