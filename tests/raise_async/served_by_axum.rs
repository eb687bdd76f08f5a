//! Raises in axum over a real socket: HTTP/1.1 on a connection that stays open.

use std::time::Duration;

use axum::{
    Extension, Router,
    body::Body,
    extract::{FromRequestParts, Request},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::request::Parts;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tower_exception::{ExceptionLayer, HttpException};

use crate::{guard::*, request::*};

async fn handler(Extension(trace): Extension<Trace>) -> &'static str {
    sleep(Duration::from_millis(1)).await;
    raise(trace).await
}

async fn one_of_many(Extension(trace): Extension<Trace>) -> String {
    let parts = (0..40).map(|_| raise::<String>(trace.clone()));
    futures_util::future::join_all(parts).await.concat()
}

struct Raises;

impl<S: Sync> FromRequestParts<S> for Raises {
    type Rejection = HttpException;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpException> {
        let trace = parts.extensions.get::<Trace>().cloned();
        raise(trace.unwrap()).await
    }
}

async fn extractor(_: Raises) -> &'static str {
    unreachable!()
}

async fn middleware(request: Request, next: Next) -> Response {
    if request.uri().path() != "/middleware" {
        return next.run(request).await;
    }
    let trace = request.extensions().get::<Trace>().cloned();
    let _response = next.run(request).await;
    raise(trace.unwrap()).await
}

async fn stream_of(first: Option<&'static str>, trace: Trace) -> Body {
    let first = stream::iter(first).map(|text| Ok(Bytes::from(text)));
    let then = stream::once(async {
        sleep(Duration::from_millis(20)).await;
        raise::<Result<Bytes, BoxError>>(trace).await
    });
    Body::from_stream(first.chain(then))
}

/// Starts a server. Returns a connection to it, and the trace of its raising functions.
async fn start() -> (TcpStream, Trace) {
    let trace = Trace::default();
    let app = Router::new()
        .route("/fine", get(|| async { "fine" }))
        .route("/handler", get(handler))
        .route("/one-of-many", get(one_of_many))
        .route("/extractor", get(extractor))
        .route("/middleware", get(|| async { "fine" }))
        .route(
            "/first-frame",
            get(|Extension(trace)| stream_of(None, trace)),
        )
        .route(
            "/later-frame",
            get(|Extension(trace)| stream_of(Some("so far so good"), trace)),
        )
        .layer(middleware::from_fn(middleware))
        .layer(ExceptionLayer::new())
        .layer(Extension(trace.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    (TcpStream::connect(address).await.unwrap(), trace)
}

async fn send(connection: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
}

/// Receives a response with a length. Returns its first line and its body.
async fn receive(connection: &mut TcpStream) -> (String, String) {
    let mut got = Vec::new();
    within(async {
        loop {
            assert_ne!(
                connection.read_buf(&mut got).await.unwrap(),
                0,
                "closed early"
            );
            let text = String::from_utf8_lossy(&got).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .expect("a length");
            if body.len() == length.parse::<usize>().unwrap() {
                let status = head.lines().next().unwrap().to_owned();
                return (status, body.to_owned());
            }
        }
    })
    .await
}

async fn on_one_connection(path: &str, expected: Left) {
    let (mut connection, trace) = start().await;
    for round in 1..=3 {
        send(&mut connection, path).await;
        let (status, body) = receive(&mut connection).await;
        assert_eq!(status, "HTTP/1.1 404 Not Found", "{path}");
        assert_eq!(body, r#"{"detail":"Item not found"}"#);
        assert_eq!(trace.left(), vec![expected; round]);

        send(&mut connection, "/fine").await;
        let fine = ("HTTP/1.1 200 OK".to_owned(), "fine".to_owned());
        assert_eq!(receive(&mut connection).await, fine);
    }
}

#[tokio::test]
async fn a_raise_in_a_handler_needs_no_unwinding() {
    on_one_connection("/handler", Left::Dropped).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raise_in_a_handler_on_many_threads_needs_no_unwinding() {
    on_one_connection("/handler", Left::Dropped).await;
}

#[tokio::test]
async fn a_raise_in_one_of_many_futures_unwinds() {
    on_one_connection("/one-of-many", Left::Unwound).await;
}

#[tokio::test]
async fn a_raise_in_an_extractor_needs_no_unwinding() {
    on_one_connection("/extractor", Left::Dropped).await;
}

#[tokio::test]
async fn a_raise_in_a_middleware_needs_no_unwinding() {
    on_one_connection("/middleware", Left::Dropped).await;
}

/// Sends one request, and returns all text up to the end of the connection.
async fn to_the_end(path: &str) -> (String, Trace) {
    let (mut connection, trace) = start().await;
    send(&mut connection, path).await;
    let mut got = Vec::new();
    // hyper may reset the connection, which is an end too.
    let _ = within(connection.read_to_end(&mut got)).await;
    (String::from_utf8(got).unwrap(), trace)
}

#[tokio::test]
async fn a_raise_in_a_later_frame_is_visible_to_the_client() {
    let (got, trace) = to_the_end("/later-frame").await;
    assert!(got.starts_with("HTTP/1.1 200 OK"), "{got}");
    assert!(got.contains("transfer-encoding: chunked"), "{got}");
    assert!(
        got.ends_with("\r\nso far so good\r\n"),
        "no last chunk: {got}"
    );
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn a_raise_in_the_first_frame_is_visible_to_the_client() {
    let (got, trace) = to_the_end("/first-frame").await;
    assert!(!got.ends_with("0\r\n\r\n"), "no last chunk: {got}");
    assert_eq!(trace.left(), [Left::Dropped]);
}
