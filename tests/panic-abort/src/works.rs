//! `raise_async` under `panic = "abort"`: it works below the layer. Elsewhere it suspends one
//! future, and does not end the process.

mod errors;
mod panics;

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::time::timeout;
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{ExceptionLayer, HttpException, Result, catch, config::LayerConfig};

#[cfg(not(panic = "abort"))]
compile_error!("build this crate with `panic = \"abort\"`");

type HttpResponse = Response<Full<Bytes>>;

const SOON: Duration = Duration::from_millis(50);

async fn deep(calls: u32) -> HttpResponse {
    tokio::task::yield_now().await;
    match calls {
        0 => {
            HttpException::not_found("Item not found")
                .raise_async()
                .await
        }
        _ => Box::pin(deep(calls - 1)).await,
    }
}

async fn serve<F>(layer: ExceptionLayer<impl LayerConfig>, handler: impl Fn() -> F) -> (u16, Bytes)
where
    F: Future<Output = Result<HttpResponse>>,
{
    let service = layer.layer(service_fn(|_: Request<Full<Bytes>>| handler()));
    let response: Result<_, Infallible> = service.oneshot(Request::default()).await;
    let response = response.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap();
    (status, body.to_bytes())
}

async fn below_the_layer() {
    for calls in [0, 10] {
        let (status, body) = serve(
            ExceptionLayer::new(),
            || async move { Ok(deep(calls).await) },
        )
        .await;
        assert_eq!(status, 404);
        assert_eq!(body, r#"{"detail":"Item not found"}"#);
    }
}

async fn in_a_catch() {
    let caught = catch(deep(10)).await.unwrap_err();
    assert_eq!(caught.to_string(), "404: Item not found");
}

/// The future is pending at every poll, and the process goes on.
async fn outside_of_any_catch() {
    let mut raising = pin!(deep(0));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        assert!(raising.as_mut().poll(&mut cx).is_pending());
    }
    assert!(timeout(SOON, deep(0)).await.is_err());
}

/// A task of its own is pending, until a timeout in the handler.
async fn in_a_spawned_task() {
    let (status, body) = serve(ExceptionLayer::new(), || async {
        let task = tokio::spawn(deep(0));
        match timeout(SOON, task).await {
            Ok(_) => Ok(Response::new("it ended".into())),
            Err(_) => Ok(Response::new("waited long enough".into())),
        }
    })
    .await;
    assert_eq!((status, &*body), (200, &b"waited long enough"[..]));
}

/// Below the layer, but polled with another context, the future is pending too.
async fn with_another_context() {
    let (status, body) = serve(ExceptionLayer::new(), || async {
        let mut raising = pin!(deep(0));
        let with_its_own = poll_fn(|_| {
            let mut cx = Context::from_waker(Waker::noop());
            Poll::Ready((0..3).all(|_| raising.as_mut().poll(&mut cx).is_pending()))
        });
        assert!(with_its_own.await);
        Ok(Response::new("went on".into()))
    })
    .await;
    assert_eq!((status, &*body), (200, &b"went on"[..]));
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if std::env::args().nth(1).as_deref() == Some(panics::ARGUMENT) {
        return panics::panic().await;
    }
    below_the_layer().await;
    println!("below the layer: rendered");
    in_a_catch().await;
    println!("in a catch: caught");
    outside_of_any_catch().await;
    println!("outside of any catch: pending");
    in_a_spawned_task().await;
    println!("in a spawned task: pending, in that task");
    with_another_context().await;
    println!("with another context: pending, and the request goes on");
    errors::reach_their_handlers().await;
    println!("any error: to its handler");
    errors::are_caught_by_type().await;
    println!("any error in a catch: caught by type");
    errors::are_returned_by_catch_sync();
    println!("in a catch of sync code: returned");
    panics::end_the_process();
    println!("a panic: the process ends");
}
