//! Handlers: selection, arguments, replies, and handlers that fail.
//!
//! Handlers have the same meaning with the feature `axum` and without it.

#[path = "handlers/caught.rs"]
mod caught;
#[path = "handlers/choice.rs"]
mod choice;
#[path = "handlers/failing.rs"]
mod failing;
#[path = "handlers/late.rs"]
mod late;
#[path = "handlers/nesting.rs"]
mod nesting;
#[path = "handlers/replies.rs"]
mod replies;
mod support;

use std::{convert::Infallible, panic::panic_any};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, Service, service_fn};
use tower_exception::{ExceptionLayer, HttpException, config::Configured};

use support::{BoxError, Inner, Outer, Received, Server};

/// Returns the response under `layer` if the service fails with `error`.
async fn response_to(layer: ExceptionLayer<Configured>, error: fn() -> BoxError) -> Received {
    let service =
        service_fn(
            move |_: Request<Incoming>| async move { Err::<Response<Full<Bytes>>, _>(error()) },
        );
    Server::start(layer.layer(service)).await.get("/").await
}

/// Returns a service that fails in every way, by the request's path.
fn every_way()
-> impl Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = BoxError, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(|request: Request<Incoming>| {
        if request.uri().path() == "/call" {
            missing().raise();
        }
        async move {
            match request.uri().path() {
                "/returned" => Err(missing().into()),
                "/attached" => Ok(missing().into()),
                "/raised" => missing().raise(),
                "/raised-async" => missing().raise_async().await,
                "/panicked-with-an-exception" => panic_any(missing()),
                "/inside-an-error" => Err(Outer::of(missing()).into()),
                "/error" => Err(Outer::of(Inner::default()).into()),
                "/panicked" => panic!("at the {}", "disco"),
                "/adopted" => {
                    let mut response = Response::new(Full::default());
                    *response.status_mut() = http::StatusCode::NOT_FOUND;
                    Ok(response)
                }
                _ => Ok(Response::new(Full::from("fine"))),
            }
        }
    })
}

fn missing() -> HttpException {
    HttpException::not_found("Item not found")
}

/// Serves [`every_way`] under `layer`.
async fn serve(layer: ExceptionLayer<Configured>) -> Server {
    start(layer.layer(every_way())).await
}

async fn start<S, B>(service: S) -> Server
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    Server::start(service).await
}
