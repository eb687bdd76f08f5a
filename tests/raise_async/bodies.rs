//! Raises in a response's body while the server sends it. No other response is possible, so the
//! body ends in an error that contains the exception.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use http::Response;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{ExceptionLayer, HttpException};

use crate::{guard::*, request::*};

type Chunk = Result<Frame<Bytes>, Infallible>;

fn chunk(text: &'static str) -> Chunk {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

async fn raise_chunk(trace: Trace) -> Chunk {
    tokio::task::yield_now().await;
    raise(trace).await
}

/// Sends `chunks` below a layer. Returns the text that the client received before the error, and
/// the error.
async fn aborted(chunks: impl Stream<Item = Chunk> + Send) -> (String, BoxError) {
    let mut chunks = Some(chunks);
    let service = service_fn(move |_: HttpRequest| {
        let body = StreamBody::new(chunks.take().expect("one request"));
        async { Ok::<_, Infallible>(Response::new(body)) }
    });
    let hooks = panic_hook_runs();
    let service = ExceptionLayer::new().layer(service);
    let response = service.oneshot(HttpRequest::default()).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = std::pin::pin!(response.into_body());
    let mut got = String::new();
    let error = within(async {
        loop {
            match body.frame().await.expect("an end with an error") {
                Ok(frame) => {
                    got.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap())
                }
                Err(error) => return error,
            }
        }
    });
    let error = error.await;
    assert!(body.is_end_stream(), "after the error there is nothing");
    assert!(body.frame().await.is_none());
    assert_eq!(panic_hook_runs(), hooks);
    (got, error.into_inner())
}

fn assert_is_the_exception(error: &BoxError) {
    let exception = error.downcast_ref::<HttpException>().unwrap();
    assert_eq!(exception.to_string(), self::exception().to_string());
}

#[tokio::test]
async fn a_raise_in_the_first_frame_ends_the_body() {
    let trace = Trace::default();
    let (got, error) = aborted(stream::once(raise_chunk(trace.clone()))).await;
    assert_eq!(got, "");
    assert_is_the_exception(&error);
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn a_raise_in_a_later_frame_ends_the_body() {
    let trace = Trace::default();
    let chunks = stream::iter([chunk("one, "), chunk("two, ")]);
    let (got, error) = aborted(chunks.chain(stream::once(raise_chunk(trace.clone())))).await;
    assert_eq!(got, "one, two, ");
    assert_is_the_exception(&error);
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn a_raise_in_a_stream_with_its_own_contexts_unwinds() {
    let trace = Trace::default();
    let chunks = [
        async { chunk("one, ") }.boxed(),
        raise_chunk(trace.clone()).boxed(),
    ];
    let (got, error) = aborted(stream::iter(chunks).buffered(2)).await;
    assert_eq!(got, "one, ");
    assert_is_the_exception(&error);
    assert_eq!(trace.left(), [Left::Unwound]);
}

#[tokio::test]
async fn a_body_may_be_sent_by_another_task() {
    let trace = Trace::default();
    let mut body = Some(StreamBody::new(
        stream::once(raise_chunk(trace.clone())).boxed(),
    ));
    let service = service_fn(move |_: HttpRequest| {
        let body = body.take().expect("one request");
        async { Ok::<_, Infallible>(Response::new(body)) }
    });
    let service = ExceptionLayer::new().layer(service);
    let response = service.oneshot(HttpRequest::default()).await.unwrap();
    let sending = tokio::spawn(response.into_body().collect());
    let error = within(sending).await.unwrap().unwrap_err();
    assert_is_the_exception(&error.into_inner());
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn a_catch_in_the_stream_may_yield_a_last_chunk() {
    let trace = Trace::default();
    let last = tower_exception::catch(raise_chunk(trace.clone()));
    let last = last.map(|caught| caught.unwrap_or_else(|_| chunk("no more")));
    let chunks = stream::iter([chunk("one, ")]).chain(stream::once(last));
    let response = serve(async { Ok::<_, BoxError>(Response::new(StreamBody::new(chunks))) });
    response.await.assert(200, "one, no more");
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn of_two_layers_the_inner_one_ends_the_body() {
    let trace = Trace::default();
    let chunks = stream::once(raise_chunk(trace.clone())).boxed();
    let mut body = Some(StreamBody::new(chunks));
    let service = service_fn(move |_: HttpRequest| {
        let body = body.take().expect("one request");
        async { Ok::<_, Infallible>(Response::new(body)) }
    });
    let service = ExceptionLayer::new().layer(ExceptionLayer::new().layer(service));
    let error = ask(service).await.body.unwrap_err();
    assert_is_the_exception(&error);
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn bodies_read_in_turn_in_one_task_get_their_own_exceptions() {
    // Both bodies are polled with one context, and neither gets the exception of the other.
    let body = |text: &'static str| async move {
        let chunks = stream::once(async move {
            tokio::task::yield_now().await;
            HttpException::gone(text).raise_async::<Chunk>().await
        });
        serve(async { Ok::<_, BoxError>(Response::new(StreamBody::new(chunks))) }).await
    };
    let (one, two) = tokio::join!(body("one"), body("two"));
    assert_eq!(one.body.unwrap_err().to_string(), "410: one");
    assert_eq!(two.body.unwrap_err().to_string(), "410: two");
}
