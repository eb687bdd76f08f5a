use std::{error::Error, fmt, sync::Arc};

#[cfg(feature = "websocket")]
use std::time::Duration;

use http::StatusCode;
use tower_layer::Layer;

#[cfg(feature = "websocket")]
use crate::{CloseCode, Upgrades, websocket::UpgradeSettings};

use crate::{
    Answer, Caught, ExceptionService, HttpException, Panic,
    handlers::Handler,
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
    /// Answers errors of the type `E` with what `handler` makes of them.
    ///
    /// `E` is read off the handler's argument. It is looked for along the chain of sources of what was caught,
    /// the outermost error first, up to the first exception. Any error can be handled so, an
    /// [`HttpException`], a [`WebSocketException`](crate::WebSocketException), either of them
    /// ([`Exception`](crate::Exception)), a [`Panic`]. See the [guide](crate::docs::handlers) for which
    /// handler answers where several could.
    ///
    /// Of two handlers for the same type the later one wins, with a warning under the feature `tracing`.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_exception::{Caught, ExceptionLayer, HttpException};
    /// # #[derive(Debug)]
    /// # struct UnicornError { name: String }
    /// # impl std::fmt::Display for UnicornError {
    /// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.name) }
    /// # }
    /// # impl std::error::Error for UnicornError {}
    ///
    /// async fn missing(error: Caught<std::num::ParseIntError>) -> StatusCode {
    ///     StatusCode::BAD_REQUEST
    /// }
    ///
    /// let layer = ExceptionLayer::new()
    ///     .on(|error: Caught<UnicornError>| {
    ///         HttpException::new(StatusCode::IM_A_TEAPOT)
    ///             .with_detail(format!("Oops! {} did something.", error.name))
    ///     })
    ///     .on(missing);
    /// ```
    #[must_use]
    pub fn on<E, M>(self, handler: impl Handler<E, M>) -> ExceptionLayer<Custom>
    where
        E: Error + 'static,
    {
        self.configure(|config| config.handlers.on(handler))
    }

    /// Answers an [`HttpException`] with this status with what `handler` makes of it. This comes before any
    /// handler for a type.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_exception::{Caught, ExceptionLayer, HttpException};
    ///
    /// let layer = ExceptionLayer::new().on_status(
    ///     StatusCode::NOT_FOUND,
    ///     |exception: Caught<HttpException>| {
    ///         let path = exception.request().uri().path();
    ///         HttpException::not_found(format!("there is no {path}"))
    ///     },
    /// );
    /// ```
    #[must_use]
    pub fn on_status<M>(
        self,
        status: StatusCode,
        handler: impl Handler<HttpException, M>,
    ) -> ExceptionLayer<Custom> {
        self.configure(|config| config.handlers.on_status(status, handler))
    }

    /// Answers a panic with what `handler` makes of it: the same as [`on`](Self::on) for [`Panic`].
    ///
    /// ```
    /// use tower_exception::{Caught, ExceptionLayer, HttpException, Panic};
    ///
    /// let layer = ExceptionLayer::new().on_panic(|panic: Caught<Panic>| {
    ///     eprintln!("{}: {:?}", panic.request().uri(), panic.message());
    ///     HttpException::internal_server_error("we are looking into it")
    /// });
    /// ```
    #[must_use]
    pub fn on_panic<M>(self, handler: impl Handler<Panic, M>) -> ExceptionLayer<Custom> {
        self.on(handler)
    }

    /// Answers with what `handler` makes of it whatever has no other handler: exceptions, errors and panics.
    ///
    /// ```
    /// use tower_exception::{Caught, ExceptionLayer, HttpException};
    ///
    /// let layer = ExceptionLayer::new()
    ///     .on_any(|_: Caught| HttpException::internal_server_error("it broke"));
    /// ```
    #[must_use]
    pub fn on_any<M>(
        self,
        handler: impl Handler<dyn Error + Send + Sync, M>,
    ) -> ExceptionLayer<Custom> {
        self.configure(|config| config.handlers.on_any(handler))
    }

    /// Tells `observer` of everything that is caught, once, when it has been answered. It cannot change the
    /// answer, and what it raises disturbs nothing. There may be several.
    ///
    /// Told of are also exceptions that an inner layer or the service itself had rendered, what is raised in a
    /// response body, for which it is too late, and what a handler or a renderer raises, beside what it was
    /// to answer.
    ///
    /// ```
    /// use tower_exception::{Answer, Caught, ExceptionLayer};
    ///
    /// let layer = ExceptionLayer::new().observe(|caught: &Caught, answer: Answer| {
    ///     eprintln!("{} -> {answer:?}: {caught}", caught.request().uri());
    /// });
    /// ```
    #[must_use]
    pub fn observe(
        self,
        observer: impl Fn(&Caught, Answer) + Send + Sync + 'static,
    ) -> ExceptionLayer<Custom> {
        self.configure(|config| config.observers.add(observer))
    }

    /// Renders exceptions with `renderer`, in place of [`Json`](crate::render::Json).
    ///
    /// A response that an exception is attached to is rendered anew. [gRPC](crate::docs::grpc) has a form of its own,
    /// which no renderer changes.
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
        self.configure(|config| config.renderer = Some(Arc::new(renderer)))
    }

    /// Takes plain error responses for exceptions: a router's 404, an extractor's rejection.
    ///
    /// That is a response with an error status (4xx or 5xx) that carries no exception, and whose body is
    /// empty, with no content type, or `text/plain`. The exception has its status, its text for a detail, and
    /// its headers, but for those that describe the old body. So axum's own errors come out as
    /// `{"detail": ...}`, and handlers apply to them.
    ///
    /// Other responses pass byte for byte, and so does a text of more than 64 KiB
    /// ([`adopt_up_to`](Self::adopt_up_to) sets another limit), one that is not UTF-8, that is compressed,
    /// that has trailers or that ends with an error. The head of an error response waits until its text is
    /// read.
    ///
    /// ```
    /// use tower_exception::ExceptionLayer;
    ///
    /// let app: axum::Router = axum::Router::new()
    ///     .layer(ExceptionLayer::new().adopt_error_responses());
    /// // GET /nowhere  ->  404 {"detail":"Not Found"}
    /// ```
    #[must_use]
    pub fn adopt_error_responses(self) -> ExceptionLayer<Custom> {
        self.adopt_up_to(64 * 1024)
    }

    /// [Takes plain error responses for exceptions](Self::adopt_error_responses) whose text is no longer than
    /// `limit` bytes.
    #[must_use]
    pub fn adopt_up_to(self, limit: usize) -> ExceptionLayer<Custom> {
        self.configure(|config| config.adopt = Some(limit))
    }

    /// Keeps the headers of every request, for handlers, observers and renderers:
    /// [`RequestHead::headers`](crate::RequestHead::headers).
    ///
    /// They are cloned for every request, whether anything is raised or not.
    #[must_use]
    pub fn capture_headers(self) -> ExceptionLayer<Custom> {
        self.configure(|config| config.capture_headers = true)
    }

    /// Turns exceptions of WebSockets into close frames, before and after the handshake: see the
    /// [guide](crate::docs::websocket).
    ///
    /// ```
    /// use axum::{Router, extract::ws::WebSocketUpgrade, response::Response, routing::any};
    /// use tower_exception::{CloseCode, ExceptionLayer, WebSocketException};
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
    ///     .layer(ExceptionLayer::new().with_upgrades());
    /// ```
    #[cfg(feature = "websocket")]
    #[must_use]
    pub fn with_upgrades(self) -> ExceptionLayer<Custom> {
        self.configure_upgrades(|_| ())
    }

    /// Sets how long it may take to close a WebSocket; without it, 5 seconds. After that the connection is cut,
    /// whether the client has answered the close frame or not. Implies [`with_upgrades`](Self::with_upgrades).
    ///
    /// A handler that is asked what to close with takes its time out of this. Where it has none left, it is
    /// as if it had failed: the client gets 1011.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_exception::ExceptionLayer;
    ///
    /// let layer = ExceptionLayer::new().close_timeout(Duration::from_secs(1));
    /// ```
    #[cfg(feature = "websocket")]
    #[must_use]
    pub fn close_timeout(self, timeout: Duration) -> ExceptionLayer<Custom> {
        self.configure_upgrades(|upgrades| upgrades.close_timeout = timeout.min(LONGEST_TIMEOUT))
    }

    /// Sets the code for a WebSocket that the application drops without a close frame, and without an exception or a
    /// panic; without it, 1000. `None` leaves such a connection as it is without the layer: it is cut.
    /// Implies [`with_upgrades`](Self::with_upgrades).
    ///
    /// Where the client has begun to close, its own code is repeated instead of this one.
    ///
    /// ```
    /// use tower_exception::{CloseCode, ExceptionLayer};
    ///
    /// let layer = ExceptionLayer::new().close_on_drop(CloseCode::GOING_AWAY);
    /// let layer = ExceptionLayer::new().close_on_drop(None);
    /// ```
    #[cfg(feature = "websocket")]
    #[must_use]
    pub fn close_on_drop(self, code: impl Into<Option<CloseCode>>) -> ExceptionLayer<Custom> {
        self.configure_upgrades(|upgrades| upgrades.close_on_drop = code.into())
    }

    /// Answers a [`WebSocketException`](crate::WebSocketException) that comes before the handshake is answered with
    /// this HTTP status, and with its reason for the detail. The client does not learn the code then, and a
    /// page in a browser learns nothing at all. Implies [`with_upgrades`](Self::with_upgrades).
    ///
    /// After the handshake nothing is changed by it.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_exception::ExceptionLayer;
    ///
    /// let layer = ExceptionLayer::new().reject_with_http(StatusCode::FORBIDDEN);
    /// ```
    #[cfg(feature = "websocket")]
    #[must_use]
    pub fn reject_with_http(self, status: StatusCode) -> ExceptionLayer<Custom> {
        self.configure_upgrades(|upgrades| upgrades.reject_with = Some(status))
    }

    /// The live WebSockets of all services under this layer and its clones: their number, and a way to close them
    /// all. Take it from the layer before that is given away, and when it has all of its settings: of
    /// them it keeps the [`close_timeout`](Self::close_timeout).
    ///
    /// A layer that is not [`with_upgrades`](Self::with_upgrades) has no WebSockets.
    ///
    /// ```
    /// use tower_exception::ExceptionLayer;
    ///
    /// let layer = ExceptionLayer::new().with_upgrades();
    /// let upgrades = layer.upgrades();
    /// let app: axum::Router = axum::Router::new().layer(layer);
    /// assert_eq!(upgrades.count(), 0);
    /// ```
    #[cfg(feature = "websocket")]
    pub fn upgrades(&self) -> Upgrades {
        let Custom(config) = self.settings.clone().into_custom();
        Upgrades::of(
            config
                .upgrades
                .as_ref()
                .unwrap_or(&UpgradeSettings::default()),
        )
    }

    #[cfg(feature = "websocket")]
    fn configure_upgrades(
        self,
        change: impl FnOnce(&mut UpgradeSettings),
    ) -> ExceptionLayer<Custom> {
        self.configure(|config| change(config.upgrades.get_or_insert_default()))
    }

    fn configure(self, change: impl FnOnce(&mut Config)) -> ExceptionLayer<Custom> {
        let Custom(mut config) = self.settings.into_custom();
        change(Arc::make_mut(&mut config));
        ExceptionLayer {
            settings: Custom(config),
        }
    }
}

/// A century: not too long to be added to a moment.
#[cfg(feature = "websocket")]
const LONGEST_TIMEOUT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

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
