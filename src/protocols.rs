//! Settings of the layer that choose the protocols of its responses.

#[cfg(feature = "tonic")]
use std::sync::Arc;

use crate::{
    exchange::{Configured, LayerConfig},
    layer::ExceptionLayer,
};

/// Configuration of protocols.
impl<C: LayerConfig> ExceptionLayer<C> {
    /// Treats no request as gRPC: every failure becomes an HTTP response with its own status.
    ///
    /// Without this setting, the content type of a `POST` decides, on any route. A request with
    /// `content-type: application/grpc` to a REST route then receives HTTP 200 with the failure in
    /// `grpc-status`, and that 200 is what an access log, a proxy and a rate limiter see. Use this
    /// setting for routes that serve no gRPC. See the [guide](crate::grpc#requests).
    ///
    /// ```
    /// use axum::{Router, routing::post};
    /// use tower_exception::{ExceptionLayer, HttpException};
    ///
    /// async fn order() -> Result<(), HttpException> {
    ///     Err(HttpException::unauthorized("who are you?"))
    /// }
    ///
    /// let rest: Router = Router::new()
    ///     .route("/orders", post(order))
    ///     .layer(ExceptionLayer::new().without_grpc());
    /// // POST /orders with `content-type: application/grpc`  ->  401 {"detail":"who are you?"}
    /// ```
    pub fn without_grpc(self) -> ExceptionLayer<Configured> {
        self.change(|config| config.without_grpc = true)
    }

    /// Sets the domain of the [codes](crate::HttpException::with_code) that gRPC clients receive.
    /// Defaults to an empty domain.
    ///
    /// A domain is the registered name of a service, such as `shop.example`. Codes are unique in
    /// their domain ([`error_details.proto`]). The layer sets it in each `ErrorInfo` that has none:
    /// of exceptions, and of each `tonic::Status` that it sends or passes on. Another server's
    /// domain stays. See the [guide](crate::grpc#details).
    ///
    /// [`error_details.proto`]: https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
    ///
    /// ```
    /// use tower_exception::ExceptionLayer;
    ///
    /// let layer = ExceptionLayer::new().with_error_domain("shop.example");
    /// ```
    #[cfg(feature = "tonic")]
    pub fn with_error_domain(self, domain: impl Into<String>) -> ExceptionLayer<Configured> {
        let domain = Arc::from(domain.into());
        self.change(|config| {
            config
                .handling
                .change(|handling| handling.error_domain = Some(domain));
        })
    }
}
