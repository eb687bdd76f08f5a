//! Handlers: which one answers, what it is given, what it may reply, and what becomes of one that fails.
//!
//! All of it means the same with the feature `axum` and without it.

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
use tower_exception::{Custom, ExceptionLayer, HttpException};

use support::{Answer, BoxError, Inner, Outer, Server};

/// What is answered to `/` under `layer` where the service fails with `error`.
async fn answer_to(layer: ExceptionLayer<Custom>, error: fn() -> BoxError) -> Answer {
    let service =
        service_fn(
            move |_: Request<Incoming>| async move { Err::<Response<Full<Bytes>>, _>(error()) },
        );
    Server::start(layer.layer(service)).await.get("/").await
}

/// Every way in which something can come to be caught, by the request's path.
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

/// Serves `every_way` under `layer`.
async fn serve(layer: ExceptionLayer<Custom>) -> Server {
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
