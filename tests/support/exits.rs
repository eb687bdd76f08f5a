//! The ways in which an exception leaves a service.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, service_fn};
use tower_exception::{ExceptionLayer, HttpException, config::LayerConfig};

use super::{BoxError, Server};

/// The way in which the exception leaves the service.
#[derive(Clone, Copy, Debug)]
pub enum Exit {
    Returned,
    Attached,
    Raised,
    RaisedAsync,
}

pub const EXITS: [Exit; 4] = [
    Exit::Returned,
    Exit::Attached,
    Exit::Raised,
    Exit::RaisedAsync,
];

/// Serves a service that always fails in this way, under `layer`.
pub async fn serve_failing(
    layer: ExceptionLayer<impl LayerConfig>,
    exit: Exit,
    exception: fn() -> HttpException,
) -> Server {
    let failing = service_fn(move |_: Request<Incoming>| async move {
        match exit {
            Exit::Returned => Err(BoxError::from(exception())),
            Exit::Attached => Ok::<Response<Full<Bytes>>, _>(exception().into()),
            Exit::Raised => exception().raise(),
            Exit::RaisedAsync => exception().raise_async().await,
        }
    });
    Server::start(layer.layer(failing)).await
}
