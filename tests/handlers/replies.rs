//! Replies of a handler.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tower_exception::{
    Caught, CloseCode, Exception, ExceptionLayer, Handler, HttpException, WebSocketException,
    config::Configured,
};

use crate::{response_to, support::*};

/// Returns the response to an error that `handler` handles.
async fn reply<M>(handler: impl Handler<Inner, M>) -> Received {
    let layer: ExceptionLayer<Configured> = ExceptionLayer::new().on(handler);
    response_to(layer, || Inner::default().into()).await
}

fn teapot<B>(body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::IM_A_TEAPOT;
    let headers = response.headers_mut();
    headers.insert("x-reply", HeaderValue::from_static("yes"));
    response
}

#[track_caller]
fn assert_teapot(received: &Received, text: &str) {
    assert_eq!(received.status, StatusCode::IM_A_TEAPOT);
    assert_eq!(received.header("x-reply"), Some("yes"));
    assert_eq!(received.text(), text);
    assert!(!received.aborted);
}

#[tokio::test]
async fn an_http_exception_is_rendered_with_its_headers() {
    let received = reply(|_: Caught<Inner>| {
        HttpException::too_many_requests("slowly")
            .with_header(http::header::RETRY_AFTER, HeaderValue::from_static("7"))
    })
    .await;
    received.assert_detail(429, "slowly");
    assert_eq!(received.header("retry-after"), Some("7"));
}

#[tokio::test]
async fn a_websocket_exception_is_a_refusal_over_http() {
    let received = reply(|_: Caught<Inner>| {
        WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no token")
    })
    .await;
    received.assert_detail(403, "no token");
}

#[tokio::test]
async fn an_exception_of_either_kind_is_rendered() {
    let received = reply(|_: Caught<Inner>| Exception::from(HttpException::gone("sold out"))).await;
    received.assert_detail(410, "sold out");
    let received = reply(|_: Caught<Inner>| {
        Exception::from(WebSocketException::new(CloseCode::GOING_AWAY).with_reason("bye"))
    })
    .await;
    received.assert_detail(403, "bye");
}

#[tokio::test]
async fn a_status_is_an_exception() {
    let received = reply(|_: Caught<Inner>| StatusCode::CONFLICT).await;
    received.assert_detail(409, "Conflict");
}

#[tokio::test]
async fn a_status_from_an_async_handler_is_an_exception() {
    let received = reply(async |_: Caught<Inner>| StatusCode::CONFLICT).await;
    received.assert_detail(409, "Conflict");
}

#[tokio::test]
async fn a_response_goes_out_as_it_is() {
    let received = reply(|_: Caught<Inner>| teapot(Full::<Bytes>::from("full"))).await;
    assert_teapot(&received, "full");
    assert_eq!(received.header("content-type"), None);
    assert_eq!(received.header("content-length"), Some("4"));
}

#[tokio::test]
async fn a_response_with_a_text_body() {
    let received = reply(|_: Caught<Inner>| teapot("text".to_owned())).await;
    assert_teapot(&received, "text");
}

#[tokio::test]
async fn a_response_without_a_body() {
    let received = reply(|_: Caught<Inner>| teapot(Empty::<Bytes>::new())).await;
    assert_teapot(&received, "");
}

#[tokio::test]
async fn a_response_with_a_boxed_body() {
    let received = reply(|_: Caught<Inner>| {
        teapot(Full::<Bytes>::from("boxed").map_err(BoxError::from).boxed())
    })
    .await;
    assert_teapot(&received, "boxed");
}

#[tokio::test]
async fn a_response_with_a_stream_and_trailers() {
    let received = reply(|_: Caught<Inner>| {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("42"));
        let frames = ["one ", "two "].map(|text| Frame::data(Bytes::from(text)));
        let frames = frames.into_iter().chain([Frame::trailers(trailers)]);
        let mut response = teapot(StreamBody::new(stream::iter(frames.map(Ok::<_, BoxError>))));
        response
            .headers_mut()
            .insert("trailer", HeaderValue::from_static("x-sum"));
        response
    })
    .await;
    assert_teapot(&received, "one two ");
    assert_eq!(received.header("transfer-encoding"), Some("chunked"));
}

#[tokio::test]
async fn a_result_is_the_reply_that_it_contains() {
    async fn either(ok: bool) -> Received {
        reply(move |_: Caught<Inner>| match ok {
            true => Ok(teapot(Full::<Bytes>::from("ok"))),
            false => Err(HttpException::gone("err")),
        })
        .await
    }
    assert_teapot(&either(true).await, "ok");
    either(false).await.assert_detail(410, "err");
}

#[tokio::test]
async fn a_result_of_a_status_is_an_exception_like_the_status() {
    async fn either(ok: bool) -> Received {
        reply(move |_: Caught<Inner>| match ok {
            true => Ok(StatusCode::CONFLICT),
            false => Err(HttpException::gone("err")),
        })
        .await
    }
    either(true).await.assert_detail(409, "Conflict");
    either(false).await.assert_detail(410, "err");
}

#[tokio::test]
async fn a_result_whose_error_is_a_status_is_an_exception_like_the_status() {
    let received = reply(
        |_: Caught<Inner>| -> Result<Response<Full<Bytes>>, StatusCode> {
            Err(StatusCode::CONFLICT)
        },
    )
    .await;
    received.assert_detail(409, "Conflict");
}

#[tokio::test]
async fn a_question_mark_in_an_async_handler() {
    async fn handler(caught: Caught<Inner>) -> Result<Response<Full<Bytes>>, HttpException> {
        let _: u32 =
            (caught.to_string().parse()).map_err(|_| HttpException::bad_request("not a number"))?;
        Ok(teapot(Full::from("number")))
    }
    reply(handler).await.assert_detail(400, "not a number");
}

#[tokio::test]
async fn head_has_the_head_of_get() {
    use tower::Layer;
    let layers = [
        ExceptionLayer::new().on_any(|_: Caught| HttpException::gone("sold out")),
        ExceptionLayer::new().on_any(|_: Caught| StatusCode::GONE),
        ExceptionLayer::new().on_any(|_: Caught| teapot(Full::<Bytes>::from("a full body"))),
        ExceptionLayer::new().on_any(async |_: Caught| teapot("a text".to_owned())),
    ];
    for layer in layers {
        let server = crate::start(layer.layer(crate::every_way())).await;
        let get = server.get("/returned").await;
        let head = server.head("/returned").await;
        assert_eq!(head.body, "");
        assert_ne!(get.body, "");
        assert_eq!(head.status, get.status);
        assert_eq!(head.headers_without_date(), get.headers_without_date());
    }
}

/// Not over a socket: over HTTP/1 hyper itself drops the body of a response to a `HEAD`, over
/// HTTP/2 it sends the body.
#[tokio::test]
async fn head_has_no_body() {
    use http::Request;
    use tower::{Layer, ServiceExt, service_fn};
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Inner>| teapot("a text".to_owned()))
        .on(|_: Caught<Outer>| HttpException::gone("sold out"));
    let service = layer.layer(service_fn(async |request: Request<BoxError>| {
        Err::<Response<Full<Bytes>>, _>(request.into_body())
    }));
    let sold_out = br#"{"detail":"sold out"}"#.len();
    for (error, length) in [
        (Inner::default().into(), "a text".len()),
        (Outer::default().into(), sold_out),
    ] {
        let request = Request::head("/").body(error).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-length"], length.to_string());
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "");
    }
}

/// Other types that are responses in axum.
#[cfg(feature = "axum")]
mod axum_values {
    use super::*;
    use axum::{
        Json,
        response::{Html, IntoResponse},
    };
    use serde_json::json;

    #[tokio::test]
    async fn a_status_and_json() {
        let received = reply(|_: Caught<Inner>| {
            (
                StatusCode::IM_A_TEAPOT,
                [("x-reply", "yes")],
                Json(json!({ "a": 1 })),
            )
        })
        .await;
        assert_teapot(&received, r#"{"a":1}"#);
        assert_eq!(received.header("content-type"), Some("application/json"));
    }

    #[tokio::test]
    async fn html_has_the_status_that_the_failure_has_by_default() {
        let received = reply(|_: Caught<Inner>| Html("<p>no")).await;
        assert_eq!(received.status, 500);
        assert_eq!(received.text(), "<p>no");
        let html = "text/html; charset=utf-8";
        assert_eq!(received.header("content-type"), Some(html));
    }

    #[tokio::test]
    async fn a_string_has_the_status_that_the_failure_has_by_default() {
        let received = reply(|caught: Caught<Inner>| caught.to_string()).await;
        assert_eq!(received.status, 500);
        assert_eq!(received.text(), "Inner with a secret");
    }

    #[tokio::test]
    async fn an_opaque_into_response_from_an_async_handler_is_a_response() {
        async fn handler(_: Caught<Inner>) -> impl IntoResponse {
            (StatusCode::IM_A_TEAPOT, [("x-reply", "yes")], "impl")
        }
        assert_teapot(&reply(handler).await, "impl");
    }

    #[tokio::test]
    async fn a_status_with_a_body_is_a_response() {
        let received = reply(|_: Caught<Inner>| (StatusCode::CONFLICT, "plain")).await;
        assert_eq!((received.status.as_u16(), received.text()), (409, "plain"));
    }

    #[tokio::test]
    async fn an_exception_turned_into_a_response_is_rendered_by_the_layer() {
        let render = |exception: &HttpException, _: &tower_exception::Caught| {
            tower_exception::render::Rendered::new(
                HeaderValue::from_static("text/plain"),
                exception.to_string(),
            )
        };
        let layer = ExceptionLayer::new()
            .with_renderer(render)
            .on(|_: Caught<Inner>| HttpException::gone("sold out").into_response());
        let received = response_to(layer, || Inner::default().into()).await;
        assert_eq!(received.text(), "410: sold out");
    }
}
