//! What a handler may reply.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tower_exception::{
    Caught, CloseCode, Custom, Exception, ExceptionLayer, Handler, HttpException,
    WebSocketException,
};

use crate::{answer_to, support::*};

/// What comes of what `handler` replies.
async fn reply<M>(handler: impl Handler<Inner, M>) -> Answer {
    let layer: ExceptionLayer<Custom> = ExceptionLayer::new().on(handler);
    answer_to(layer, || Inner::default().into()).await
}

fn teapot<B>(body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::IM_A_TEAPOT;
    let headers = response.headers_mut();
    headers.insert("x-reply", HeaderValue::from_static("yes"));
    response
}

#[track_caller]
fn assert_teapot(answer: &Answer, text: &str) {
    assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
    assert_eq!(answer.header("x-reply"), Some("yes"));
    assert_eq!(answer.text(), text);
    assert!(!answer.cut_short);
}

#[tokio::test]
async fn an_http_exception_is_rendered_with_its_headers() {
    let answer = reply(|_: Caught<Inner>| {
        HttpException::too_many_requests("slowly")
            .with_header(http::header::RETRY_AFTER, HeaderValue::from_static("7"))
    })
    .await;
    answer.assert_detail(429, "slowly");
    assert_eq!(answer.header("retry-after"), Some("7"));
}

#[tokio::test]
async fn a_websocket_exception_is_a_refusal_over_http() {
    let answer = reply(|_: Caught<Inner>| {
        WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no token")
    })
    .await;
    answer.assert_detail(403, "no token");
}

#[tokio::test]
async fn either_exception() {
    let answer = reply(|_: Caught<Inner>| Exception::from(HttpException::gone("sold out"))).await;
    answer.assert_detail(410, "sold out");
    let answer = reply(|_: Caught<Inner>| {
        Exception::from(WebSocketException::new(CloseCode::GOING_AWAY).with_reason("bye"))
    })
    .await;
    answer.assert_detail(403, "bye");
}

#[tokio::test]
async fn a_status_is_an_exception() {
    let answer = reply(|_: Caught<Inner>| StatusCode::CONFLICT).await;
    answer.assert_detail(409, "Conflict");
}

#[tokio::test]
async fn a_status_from_an_async_handler_is_an_exception() {
    let answer = reply(async |_: Caught<Inner>| StatusCode::CONFLICT).await;
    answer.assert_detail(409, "Conflict");
}

#[tokio::test]
async fn a_response_goes_out_as_it_is() {
    let answer = reply(|_: Caught<Inner>| teapot(Full::<Bytes>::from("full"))).await;
    assert_teapot(&answer, "full");
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(answer.header("content-length"), Some("4"));
}

#[tokio::test]
async fn a_response_with_a_text_for_a_body() {
    let answer = reply(|_: Caught<Inner>| teapot("text".to_owned())).await;
    assert_teapot(&answer, "text");
}

#[tokio::test]
async fn a_response_without_a_body() {
    let answer = reply(|_: Caught<Inner>| teapot(Empty::<Bytes>::new())).await;
    assert_teapot(&answer, "");
}

#[tokio::test]
async fn a_response_whose_body_is_boxed() {
    let answer = reply(|_: Caught<Inner>| {
        teapot(Full::<Bytes>::from("boxed").map_err(BoxError::from).boxed())
    })
    .await;
    assert_teapot(&answer, "boxed");
}

#[tokio::test]
async fn a_response_whose_body_is_a_stream_with_trailers() {
    let answer = reply(|_: Caught<Inner>| {
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
    assert_teapot(&answer, "one two ");
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
}

#[tokio::test]
async fn a_result_is_whichever_it_holds() {
    async fn either(ok: bool) -> Answer {
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
    async fn either(ok: bool) -> Answer {
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
    let answer = reply(
        |_: Caught<Inner>| -> Result<Response<Full<Bytes>>, StatusCode> {
            Err(StatusCode::CONFLICT)
        },
    )
    .await;
    answer.assert_detail(409, "Conflict");
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
async fn head_is_answered_with_the_head_of_what_get_gets() {
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
        let compared = |answer: &Answer| {
            let mut headers = answer.headers.clone();
            headers.remove("date");
            headers
        };
        assert_eq!(compared(&head), compared(&get));
    }
}

/// Not over a socket: hyper's HTTP/1 drops the body of an answer to a `HEAD` by itself, its HTTP/2 sends it.
#[tokio::test]
async fn head_is_given_no_body() {
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

/// What else axum calls a response.
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
        let answer = reply(|_: Caught<Inner>| {
            (
                StatusCode::IM_A_TEAPOT,
                [("x-reply", "yes")],
                Json(json!({ "a": 1 })),
            )
        })
        .await;
        assert_teapot(&answer, r#"{"a":1}"#);
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }

    #[tokio::test]
    async fn html() {
        let answer = reply(|_: Caught<Inner>| Html("<p>no")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text(), "<p>no");
        let html = "text/html; charset=utf-8";
        assert_eq!(answer.header("content-type"), Some(html));
    }

    #[tokio::test]
    async fn a_string() {
        let answer = reply(|caught: Caught<Inner>| caught.to_string()).await;
        assert_eq!(answer.text(), "Inner with a secret");
    }

    #[tokio::test]
    async fn what_only_is_into_response_from_an_async_handler() {
        async fn handler(_: Caught<Inner>) -> impl IntoResponse {
            (StatusCode::IM_A_TEAPOT, [("x-reply", "yes")], "impl")
        }
        assert_teapot(&reply(handler).await, "impl");
    }

    #[tokio::test]
    async fn a_status_with_a_body_is_a_response() {
        let answer = reply(|_: Caught<Inner>| (StatusCode::CONFLICT, "plain")).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (409, "plain"));
    }

    #[tokio::test]
    async fn an_exception_that_was_made_a_response_is_rendered_as_the_layer_does() {
        let render = |exception: &HttpException, _: &tower_exception::RequestHead| {
            tower_exception::render::Rendered::new(
                HeaderValue::from_static("text/plain"),
                exception.to_string(),
            )
        };
        let layer = ExceptionLayer::new()
            .render(render)
            .on(|_: Caught<Inner>| HttpException::gone("sold out").into_response());
        let answer = answer_to(layer, || Inner::default().into()).await;
        assert_eq!(answer.text(), "410: sold out");
    }
}
