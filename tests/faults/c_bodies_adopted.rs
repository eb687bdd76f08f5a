//! Which error responses are adopted: by charset, without a content type, and within a time.

use std::{
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tower::{BoxError, Layer, ServiceExt as _, service_fn};
use tower_exception::{ExceptionLayer, config::Configured};
use tower_http::services::ServeDir;

use crate::support::{Received, Server, body, endless_empty_frames, observed, request, within};

fn adopting() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().adopt_error_responses()
}

type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

fn error(content_type: Option<&'static str>, body: AnyBody) -> Response<AnyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    if let Some(content_type) = content_type {
        let content_type = HeaderValue::from_static(content_type);
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    response
}

fn full(bytes: impl Into<Bytes>) -> AnyBody {
    UnsyncBoxBody::new(Full::from(bytes.into()).map_err(|never| match never {}))
}

async fn received(content_type: Option<&'static str>, bytes: impl Into<Bytes>) -> Received {
    let bytes = bytes.into();
    let service = service_fn(move |_: Request<Incoming>| {
        let response = error(content_type, full(bytes.clone()));
        async { Ok::<_, BoxError>(response) }
    });
    Server::start(adopting().layer(service))
        .await
        .get("/")
        .await
}

// C5

#[tokio::test]
async fn a_text_in_another_charset_passes_unchanged() {
    let utf_16: Vec<u8> = "no".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for content_type in [
        "text/plain; charset=utf-16le",
        "text/plain; charset=\"UTF-16\"",
        "text/plain; format=flowed; charset=iso-8859-1",
    ] {
        let received = received(Some(content_type), utf_16.clone()).await;
        assert_eq!(received.body, utf_16);
        assert_eq!(received.header("content-type"), Some(content_type));
    }
    for content_type in [
        "text/plain",
        "text/plain; charset=UTF-8",
        "text/plain; charset=\"us-ascii\"",
        "text/plain;charset=utf-8; format=flowed",
    ] {
        received(Some(content_type), "slow down")
            .await
            .assert_detail(429, "slow down");
    }
}

// C6

#[tokio::test]
async fn a_short_text_without_a_content_type_is_adopted() {
    for text in [
        "Too Many Requests! Wait for 3s",
        "caf\u{e9}: zu\n",
        "a < b",
        "",
    ] {
        let detail = match text {
            "" => "Too Many Requests",
            text => text,
        };
        let body = serde_json::json!({ "detail": detail }).to_string();
        assert_eq!(received(None, text).await.text(), body);
    }
    let most = "x".repeat(1024);
    received(None, most.clone()).await.assert_detail(429, &most);
}

#[tokio::test]
async fn a_text_in_pieces_without_a_content_type_is_adopted() {
    let service = service_fn(async |_: Request<Incoming>| {
        let pieces = stream::iter([Ok("what "), Ok("is this?")]);
        let pieces = pieces.then(async |piece| {
            tokio::task::yield_now().await;
            piece
        });
        Ok::<_, BoxError>(error(None, body(pieces)))
    });
    let server = Server::start(adopting().layer(service)).await;
    server.get("/").await.assert_detail(429, "what is this?");
}

#[tokio::test]
async fn markup_json_and_binary_data_without_a_content_type_pass_unchanged() {
    let long = "x".repeat(1025);
    for text in [
        "<h1>No</h1>",
        "\n  <?xml version=\"1.0\"?><no/>",
        r#"{"own": "format"}"#,
        " [1, 2]",
        r#""no""#,
        "P\0N\u{1}G",
        &long,
    ] {
        let received = received(None, text.to_owned()).await;
        assert_eq!(received.text(), text);
        assert_eq!(received.header("content-type"), None);
    }
    let received = received(None, &b"caf\xe9"[..]).await;
    assert_eq!(&received.body[..], b"caf\xe9");
}

#[tokio::test]
async fn a_multi_range_request_for_a_file_gets_an_exception() {
    let server = Server::start(adopting().layer(ServeDir::new("."))).await;
    let mut ranges = request(http::Method::GET, "/Cargo.toml");
    let value = HeaderValue::from_static("bytes=0-1,3-4");
    ranges.headers_mut().insert(http::header::RANGE, value);
    let received = server.send(ranges).await;
    received.assert_detail(416, "Cannot serve multipart range requests");
}

/// Markup is recognized by its beginning, so that its head does not wait for its end.
#[tokio::test]
async fn markup_passes_before_its_end() {
    let service = service_fn(async |_: Request<()>| {
        let page = stream::iter([Ok("<h1>")]).chain(stream::pending());
        Ok::<_, BoxError>(error(None, body(page)))
    });
    let response = within(adopting().layer(service).oneshot(Request::new(()))).await;
    let mut body = response.unwrap().into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "<h1>");
}

// C8

/// Returns the text of a body that sends `a`, then `b` every 100 ms, and ends after `count`.
fn trickle(count: usize) -> AnyBody {
    let frames = stream::iter(0..count).then(async |i| {
        if i > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(if i == 0 { "a" } else { "b" })
    });
    body(frames)
}

#[tokio::test]
async fn a_body_that_never_ends_gets_its_head_after_the_time_limit() {
    let service = service_fn(async |_: Request<Incoming>| {
        let text = stream::iter([Ok("wait")]).chain(stream::pending());
        Ok::<_, BoxError>(error(Some("text/plain"), body(text)))
    });
    let limit = Duration::from_millis(200);
    let (layer, mut reports) = observed(adopting().adopt_error_responses_within(limit));
    let server = Server::start(layer.layer(service)).await;
    let mut client = server.connect(crate::support::Protocol::Http2).await;
    let start = Instant::now();
    let response = client.send(request(http::Method::GET, "/")).await.unwrap();
    assert!(start.elapsed() >= limit);
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()[CONTENT_TYPE], "text/plain");
    let first = within(response.into_body().frame()).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "wait");
    reports.assert_none();
}

#[tokio::test]
async fn a_body_that_trickles_passes_after_the_time_limit_and_is_whole() {
    let service = service_fn(async |_: Request<Incoming>| {
        Ok::<_, BoxError>(error(Some("text/plain"), trickle(8)))
    });
    let layer = |limit| adopting().adopt_error_responses_within(Duration::from_millis(limit));
    let server = Server::start(layer(250).layer(service)).await;
    let received = server.get("/").await;
    assert_eq!(received.text(), "abbbbbbb");
    assert_eq!(received.header("content-type"), Some("text/plain"));
    let server = Server::start(layer(20_000).layer(service)).await;
    server.get("/").await.assert_detail(429, "abbbbbbb");
}

#[tokio::test]
async fn no_time_adopts_only_what_is_ready_at_once() {
    let respond = |count| {
        service_fn(move |_: Request<Incoming>| async move {
            Ok::<_, BoxError>(error(Some("text/plain"), trickle(count)))
        })
    };
    let layer = || adopting().adopt_error_responses_within(Duration::ZERO);
    let server = Server::start(layer().layer(respond(1))).await;
    server.get("/").await.assert_detail(429, "a");
    let server = Server::start(layer().layer(respond(2))).await;
    assert_eq!(server.get("/").await.text(), "ab");
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_is_five_seconds() {
    let service = service_fn(async |_: Request<()>| {
        Ok::<_, BoxError>(error(Some("text/plain"), body(stream::pending())))
    });
    for (layer, seconds) in [
        (adopting(), 5),
        (
            adopting()
                .adopt_error_responses_within(Duration::from_secs(60))
                .adopt_error_responses(),
            60,
        ),
    ] {
        let start = tokio::time::Instant::now();
        let response = layer
            .layer(service)
            .oneshot(Request::new(()))
            .await
            .unwrap();
        assert_eq!(start.elapsed().as_secs(), seconds);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain");
    }
}

#[tokio::test]
async fn a_body_that_is_always_ready_and_never_sends_anything_has_the_time_limit_too() {
    let service = service_fn(async |_: Request<()>| {
        Ok::<_, BoxError>(error(Some("text/plain"), endless_empty_frames()))
    });
    let layer = adopting().adopt_error_responses_within(Duration::from_millis(50));
    let response = within(layer.layer(service).oneshot(Request::new(()))).await;
    assert_eq!(response.unwrap().headers()[CONTENT_TYPE], "text/plain");
}

/// Without a timer there is no limit, and no panic.
#[test]
fn a_runtime_without_timers_waits() {
    for is_tokio in [true, false] {
        let run = async {
            let service = service_fn(async |_: Request<()>| {
                let text = stream::iter([Ok("no "), Ok("timer")]).then(async |piece| {
                    let mut is_ready = false;
                    futures_util::future::poll_fn(|cx| {
                        cx.waker().wake_by_ref();
                        match std::mem::replace(&mut is_ready, true) {
                            true => Poll::Ready(()),
                            false => Poll::Pending,
                        }
                    })
                    .await;
                    piece
                });
                Ok::<_, BoxError>(error(Some("text/plain"), body(text)))
            });
            let response = adopting().layer(service).oneshot(Request::new(())).await;
            response
                .unwrap()
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
        };
        let received = match is_tokio {
            true => tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(run),
            false => futures_executor::block_on(run),
        };
        assert_eq!(received, r#"{"detail":"no timer"}"#);
    }
}
