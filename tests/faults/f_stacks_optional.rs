//! A layer that is switched on and off at run time.

use std::convert::Infallible;

use axum::{Router, response::IntoResponse as _, routing::get};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tower::{
    BoxError, ServiceBuilder,
    util::{MapResponseLayer, option_layer},
};
use tower_exception::{BodyError, ExceptionBody, ExceptionLayer, HttpException};

use crate::support::Server;

// F4

/// In axum, every layer's response can become one with axum's own body.
#[tokio::test]
async fn an_optional_layer_in_axum() {
    for is_on in [true, false] {
        let layer = is_on.then(|| {
            let into_axum = MapResponseLayer::new(|response: Response<ExceptionBody<_>>| {
                response.into_response()
            });
            (into_axum, ExceptionLayer::new())
        });
        let app = Router::new()
            .route(
                "/",
                get(async || -> &str { HttpException::not_found("no item").raise() }),
            )
            .layer(option_layer(layer));
        let server = Server::start(app).await;
        let mut client = server.connect(crate::support::Protocol::Http2).await;
        let received = client.get("/").await;
        assert_eq!(received.starts_with("404"), is_on, "{received}");
    }
}

type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

/// Elsewhere, the body is boxed, and the error is the inner service's.
#[tokio::test]
async fn an_optional_layer_in_any_stack() {
    for is_on in [true, false] {
        let layer = is_on.then(|| {
            ServiceBuilder::new()
                .map_err(|never: Infallible| -> BoxError { match never {} })
                .map_response(|response: Response<ExceptionBody<AnyBody>>| {
                    response.map(|body| body.map_err(BodyError::into_inner).boxed_unsync())
                })
                .layer(ExceptionLayer::new())
                .into_inner()
        });
        let service = ServiceBuilder::new().option_layer(layer).service_fn(
            async |request: Request<Incoming>| match request.uri().path() {
                "/" => Err(BoxError::from(HttpException::not_found("no item"))),
                _ => Ok(Response::new(UnsyncBoxBody::new(
                    Full::from("item").map_err(|never| match never {}),
                ))),
            },
        );
        let server = Server::start(service).await;
        assert_eq!(server.get("/item").await.text(), "item");
        let mut client = server.connect(crate::support::Protocol::Http2).await;
        let received = client.get("/").await;
        assert_eq!(received.starts_with("404"), is_on, "{received}");
    }
}
