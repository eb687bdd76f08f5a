//! In a response's body, while it is sent: too late for an answer, so that the body ends with an error, which
//! holds the exception.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use http::Response;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{ExceptionLayer, HttpException};

use crate::support::*;

type Chunk = Result<Frame<Bytes>, Infallible>;

fn chunk(text: &'static str) -> Chunk {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

async fn raise_chunk(trace: Trace) -> Chunk {
    tokio::task::yield_now().await;
    raise(trace).await
}

/// Sends `chunks`, below a layer. What the client got of it before the error, and the error.
async fn cut_short(chunks: impl Stream<Item = Chunk> + Send) -> (String, BoxError) {
    let mut chunks = Some(chunks);
    let service = service_fn(move |_: HttpRequest| {
        let body = StreamBody::new(chunks.take().expect("one request"));
        async { Ok::<_, Infallible>(Response::new(body)) }
    });
    let hooks = hooks_run();
    let service = ExceptionLayer::new().layer(service);
    let response = service.oneshot(HttpRequest::default()).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = std::pin::pin!(response.into_body());
    let mut got = String::new();
    let error = within_limit(async {
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
    assert_eq!(hooks_run(), hooks);
    (got, error)
}

fn assert_is_the_exception(error: &BoxError) {
    let exception = error.downcast_ref::<HttpException>().unwrap();
    assert_eq!(exception.to_string(), self::exception().to_string());
}

#[tokio::test]
async fn in_the_first_frame() {
    let trace = Trace::default();
    let (got, error) = cut_short(stream::once(raise_chunk(trace.clone()))).await;
    assert_eq!(got, "");
    assert_is_the_exception(&error);
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn in_a_later_frame() {
    let trace = Trace::default();
    let chunks = stream::iter([chunk("one, "), chunk("two, ")]);
    let (got, error) = cut_short(chunks.chain(stream::once(raise_chunk(trace.clone())))).await;
    assert_eq!(got, "one, two, ");
    assert_is_the_exception(&error);
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn in_a_stream_that_polls_with_contexts_of_its_own() {
    let trace = Trace::default();
    let chunks = [
        async { chunk("one, ") }.boxed(),
        raise_chunk(trace.clone()).boxed(),
    ];
    let (got, error) = cut_short(stream::iter(chunks).buffered(2)).await;
    assert_eq!(got, "one, ");
    assert_is_the_exception(&error);
    assert_eq!(trace.left(), [Left::Unwound]);
}

#[tokio::test]
async fn sent_by_another_task_than_the_one_that_was_answered() {
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
    let error = within_limit(sending).await.unwrap().unwrap_err();
    assert_is_the_exception(&error);
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn where_a_catch_in_the_stream_makes_a_last_chunk_of_it() {
    let trace = Trace::default();
    let last = tower_exception::catch(raise_chunk(trace.clone()));
    let last = last.map(|caught| caught.unwrap_or_else(|_| chunk("no more")));
    let chunks = stream::iter([chunk("one, ")]).chain(stream::once(last));
    let answer = serve(async { Ok::<_, BoxError>(Response::new(StreamBody::new(chunks))) });
    answer.await.assert(200, "one, no more");
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn below_two_layers_the_inner_one_ends_the_body() {
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
async fn bodies_that_are_read_in_turn_in_one_task() {
    // Both are guarded bodies, polled with one context: neither gets the other's exception.
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
