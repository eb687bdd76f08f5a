//! Settings of the layer that choose the protocols of its responses.

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
}
