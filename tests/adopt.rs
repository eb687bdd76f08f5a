//! Plain error responses that the layer adopts as exceptions, and those that it passes unchanged.

mod support;

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, Query},
    routing::{get, post},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, SERVER},
};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Deserialize;
use tower::{Layer, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Mechanism, Outcome, Phase, config::Configured,
    render::Rendered,
};

use support::{BoxError, Received, Server, observed, request};

const LIMIT: usize = 64 * 1024;

fn adopting() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().adopt_error_responses()
}

// Error responses of axum itself.

#[derive(Deserialize)]
struct Page {
    #[allow(dead_code)]
    page: u32,
}

async fn axum_app() -> Server {
    let app = Router::new()
        .route("/items/{id}", get(|Path(_): Path<u32>| async {}))
        .route("/pages", get(|Query(_): Query<Page>| async {}))
        .route("/pages", post(|Json(_): Json<Page>| async {}))
        .route(
            "/little",
            post(|_: Bytes| async {}).layer(DefaultBodyLimit::max(4)),
        )
        .layer(adopting());
    Server::start(app).await
}

fn post_to(path: &str, content_type: &'static str, body: &'static str) -> Request<Full<Bytes>> {
    let mut request = request(Method::POST, path).map(|_| Full::from(body));
    let content_type = HeaderValue::from_static(content_type);
    request.headers_mut().insert(CONTENT_TYPE, content_type);
    request
}

#[tokio::test]
async fn an_unknown_route_in_axum_is_a_404() {
    let received = axum_app().await.get("/nowhere").await;
    received.assert_detail(404, "Not Found");
}

#[tokio::test]
async fn a_wrong_method_in_axum_is_a_405_with_allow() {
    let server = axum_app().await;
    let received = server.send(request(Method::DELETE, "/pages")).await;
    received.assert_detail(405, "Method Not Allowed");
    assert_eq!(received.header("allow"), Some("GET,HEAD,POST"));
}

#[tokio::test]
async fn a_path_that_does_not_parse_is_a_400() {
    let received = axum_app().await.get("/items/plumbus").await;
    received.assert_detail(400, "Invalid URL: Cannot parse `plumbus` to a `u32`");
}

#[tokio::test]
async fn a_query_that_does_not_parse_is_a_400() {
    let received = axum_app().await.get("/pages?page=many").await;
    received.assert_detail(
        400,
        "Failed to deserialize query string: page: invalid digit found in string",
    );
}

#[tokio::test]
async fn malformed_json_is_a_400() {
    let server = axum_app().await;
    let received = server
        .send(post_to("/pages", "application/json", "{"))
        .await;
    received.assert_detail(
        400,
        "Failed to parse the request body as JSON: EOF while parsing an object at line 1 column 1",
    );
}

#[tokio::test]
async fn json_of_another_shape_is_a_422() {
    let server = axum_app().await;
    let body = post_to("/pages", "application/json", r#"{"page":"many"}"#);
    server.send(body).await.assert_detail(
        422,
        "Failed to deserialize the JSON body into the target type: page: invalid type: \
         string \"many\", expected u32 at line 1 column 14",
    );
}

#[tokio::test]
async fn json_without_its_content_type_is_a_415() {
    let server = axum_app().await;
    let received = server.send(post_to("/pages", "text/plain", "{}")).await;
    received.assert_detail(
        415,
        "Expected request with `Content-Type: application/json`",
    );
}

#[tokio::test]
async fn a_body_over_axums_limit_is_a_413() {
    let server = axum_app().await;
    let received = server.send(post_to("/little", "text/plain", "12345")).await;
    received.assert_detail(
        413,
        "Failed to buffer the request body: length limit exceeded",
    );
}

// Error responses of any service.

/// One step of a body.
enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Is pending once.
    Wait,
    Fail,
    Raise,
    Panic,
}

/// A body of these steps, without a known length.
struct Steps(std::vec::IntoIter<Step>);

impl Body for Steps {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(match self.0.next() {
            None => return Poll::Ready(None),
            Some(Step::Data(data)) => Ok(Frame::data(data)),
            Some(Step::Trailers(trailers)) => Ok(Frame::trailers(trailers)),
            Some(Step::Wait) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Step::Fail) => Err("connection to the database lost".into()),
            Some(Step::Raise) => HttpException::gone("sold out").raise(),
            Some(Step::Panic) => panic!("in the body"),
        }))
    }
}

fn data(text: impl Into<Bytes>) -> Step {
    Step::Data(text.into())
}

/// Returns a plain text error response with a body of these steps.
fn stepwise(steps: impl IntoIterator<Item = Step>) -> Response<Steps> {
    let steps: Vec<_> = steps.into_iter().collect();
    plain(Steps(steps.into_iter()))
}

fn plain<B>(body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::CONFLICT;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// Serves the responses of `respond` under `layer`.
async fn serve<B>(layer: ExceptionLayer<Configured>, respond: fn() -> Response<B>) -> Server
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let service =
        service_fn(move |_: Request<Incoming>| async move { Ok::<_, BoxError>(respond()) });
    Server::start(layer.layer(service)).await
}

async fn response_of<B>(respond: fn() -> Response<B>) -> Received
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    serve(adopting(), respond).await.get("/").await
}

#[tokio::test]
async fn a_text_becomes_the_detail() {
    let received = response_of(|| plain(Full::<Bytes>::from("already \"there\""))).await;
    received.assert_detail(409, "already \"there\"");
}

#[tokio::test]
async fn a_text_in_several_frames_becomes_the_detail() {
    let received = response_of(|| {
        stepwise([
            Step::Wait,
            data("one "),
            Step::Wait,
            data("two"),
            Step::Wait,
        ])
    });
    received.await.assert_detail(409, "one two");
}

#[tokio::test]
async fn an_empty_text_becomes_the_canonical_reason() {
    response_of(|| stepwise([]))
        .await
        .assert_detail(409, "Conflict");
}

#[tokio::test]
async fn an_empty_body_without_a_type_becomes_the_canonical_reason() {
    let respond = || {
        let mut response = plain(Full::<Bytes>::default());
        response.headers_mut().remove(CONTENT_TYPE);
        response
    };
    response_of(respond).await.assert_detail(409, "Conflict");
}

#[tokio::test]
async fn the_content_type_is_case_insensitive() {
    let respond = || {
        let mut response = plain(Full::<Bytes>::from("loud"));
        let text = HeaderValue::from_static("TEXT/Plain ;charset=UTF-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        response
    };
    response_of(respond).await.assert_detail(409, "loud");
}

#[tokio::test]
async fn server_errors_are_adopted_too() {
    let respond = || {
        let mut response = plain(Full::<Bytes>::from("down"));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    };
    response_of(respond).await.assert_detail(502, "Bad Gateway");
    let server = serve(adopting().adopt_server_error_texts(), respond);
    server.await.get("/").await.assert_detail(502, "down");
}

/// Returns the response of `respond`, and asserts that it is equal without the layer.
async fn untouched<B>(respond: fn() -> Response<B>) -> Received
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let bare =
        service_fn(move |_: Request<Incoming>| async move { Ok::<_, Infallible>(respond()) });
    let bare = Server::start(bare).await.get("/").await;
    let received = response_of(respond).await;
    assert_eq!(received.status, bare.status);
    assert_eq!(received.body, bare.body);
    assert_eq!(received.trailers, bare.trailers);
    assert_eq!(received.aborted, bare.aborted);
    assert_eq!(received.headers_without_date(), bare.headers_without_date());
    received
}

#[tokio::test]
async fn a_text_that_is_no_error_passes_unchanged() {
    let received = untouched(|| {
        let mut response = plain(Full::<Bytes>::from("fine"));
        *response.status_mut() = StatusCode::OK;
        response
    });
    assert_eq!(received.await.text(), "fine");
}

#[tokio::test]
async fn json_and_html_pass_unchanged() {
    let received = untouched(|| {
        let mut response = plain(Full::<Bytes>::from(r#"{"own": "format"}"#));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    });
    assert_eq!(received.await.text(), r#"{"own": "format"}"#);
    let received = untouched(|| {
        let mut response = plain(Full::<Bytes>::from("<h1>No</h1>"));
        let html = HeaderValue::from_static("text/html");
        response.headers_mut().insert(CONTENT_TYPE, html);
        response
    });
    assert_eq!(received.await.text(), "<h1>No</h1>");
}

#[tokio::test]
async fn empty_json_passes_unchanged() {
    let received = untouched(|| {
        let mut response = plain(Full::<Bytes>::default());
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    });
    assert_eq!(received.await.text(), "");
}

#[tokio::test]
async fn a_text_of_unknown_type_becomes_the_detail() {
    let respond = || {
        let mut response = plain(Full::<Bytes>::from("what is this?"));
        response.headers_mut().remove(CONTENT_TYPE);
        response
    };
    response_of(respond)
        .await
        .assert_detail(409, "what is this?");
}

#[tokio::test]
async fn a_text_of_unknown_type_and_length_becomes_the_detail() {
    let respond = || {
        let mut response = stepwise([Step::Wait, data("what "), data("is this?")]);
        response.headers_mut().remove(CONTENT_TYPE);
        response
    };
    response_of(respond)
        .await
        .assert_detail(409, "what is this?");
}

#[tokio::test]
async fn a_text_as_long_as_the_limit_is_adopted() {
    let received = response_of(|| {
        let half = || data("x".repeat(LIMIT / 2));
        stepwise([half(), Step::Wait, half()])
    });
    received.await.assert_detail(409, &"x".repeat(LIMIT));
}

#[tokio::test]
async fn a_text_longer_than_the_limit_passes_unchanged() {
    let received = untouched(|| {
        let half = || data("x".repeat(LIMIT / 2));
        stepwise([half(), half(), Step::Wait, data("y"), Step::Wait, data("z")])
    });
    assert_eq!(received.await.text(), "x".repeat(LIMIT) + "yz");
}

#[tokio::test]
async fn a_text_of_known_length_over_the_limit_passes_unchanged() {
    let received = untouched(|| plain(Full::<Bytes>::from("x".repeat(LIMIT + 1)))).await;
    let length = (LIMIT + 1).to_string();
    assert_eq!(received.header("content-length"), Some(&*length));
}

#[tokio::test]
async fn the_limit_can_be_set() {
    let server = serve(ExceptionLayer::new().adopt_error_responses_up_to(4), || {
        plain(Full::<Bytes>::from("12345"))
    });
    assert_eq!(server.await.get("/").await.text(), "12345");
    let server = serve(ExceptionLayer::new().adopt_error_responses_up_to(4), || {
        plain(Full::<Bytes>::from("1234"))
    });
    server.await.get("/").await.assert_detail(409, "1234");
}

#[tokio::test]
async fn a_body_that_is_not_utf_8_passes_unchanged() {
    let respond = || stepwise([data(&b"caf"[..]), Step::Wait, data(&b"\xe9"[..])]);
    let received = response_of(respond).await;
    assert_eq!(
        (received.status.as_u16(), &received.body[..]),
        (409, &b"caf\xe9"[..])
    );
    let text = "text/plain; charset=utf-8";
    assert_eq!(received.header("content-type"), Some(text));
    // The layer has read the body to its end, so the length is known.
    assert_eq!(received.header("content-length"), Some("4"));
}

#[tokio::test]
async fn a_character_may_be_split_between_frames() {
    let received = response_of(|| stepwise([data(&b"caf\xc3"[..]), data(&b"\xa9"[..])]));
    received.await.assert_detail(409, "caf\u{e9}");
}

#[tokio::test]
async fn a_compressed_body_passes_unchanged() {
    let received = untouched(|| {
        let mut response = plain(Full::<Bytes>::from("not really gzip"));
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, gzip);
        response
    });
    assert_eq!(received.await.header("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn a_body_with_trailers_passes_unchanged() {
    let received = untouched(|| {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("42"));
        let steps = [data("text"), Step::Wait, Step::Trailers(trailers)];
        let mut response = stepwise(steps);
        let announced = HeaderValue::from_static("x-sum");
        response.headers_mut().insert("trailer", announced);
        response
    });
    // hyper does not send the trailers, because the client has not asked for them (RFC 9110,
    // section 6.5.1). The layer's body passes them on.
    assert_eq!(received.await.text(), "text");
}

#[tokio::test]
async fn trailers_are_passed_on() {
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    let service = adopting().layer(service_fn(async |_: Request<()>| {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("42"));
        Ok::<_, BoxError>(stepwise([data("text"), Step::Trailers(trailers)]))
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(
        response.headers()[CONTENT_TYPE],
        "text/plain; charset=utf-8"
    );
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "42");
    assert_eq!(body.to_bytes(), "text");
}

#[tokio::test]
async fn a_body_that_ends_in_an_error_is_aborted_as_without_the_layer() {
    let (layer, mut reports) = observed(adopting());
    let service = layer.layer(service_fn(async |_: Request<()>| {
        Ok::<_, BoxError>(stepwise([data("half "), Step::Wait, Step::Fail]))
    }));
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), 409);
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "half ");
    assert!(body.frame().await.unwrap().is_err());
    assert!(body.frame().await.is_none());
    let reports = reports.take();
    let [report] = &reports[..] else {
        panic!("{reports:?}")
    };
    assert_eq!(report.failure, "connection to the database lost");
    assert_eq!(report.outcome, Outcome::Aborted);
}

#[tokio::test]
async fn a_body_that_raises_while_the_layer_reads_it_is_an_exception() {
    let received = response_of(|| stepwise([data("half "), Step::Wait, Step::Raise]));
    received.await.assert_detail(410, "sold out");
}

#[tokio::test]
async fn a_body_that_panics_while_the_layer_reads_it_is_a_500() {
    let received = response_of(|| stepwise([data("half "), Step::Wait, Step::Panic])).await;
    received.assert_default_500();
}

#[tokio::test]
async fn a_body_that_raises_while_the_layer_reads_it_is_handled_and_reported() {
    let layer = adopting().on(|exception: Caught<HttpException>| {
        assert_eq!(
            (exception.mechanism(), exception.phase()),
            (Mechanism::Raised, Phase::Body)
        );
        StatusCode::IM_A_TEAPOT
    });
    let (layer, mut reports) = observed(layer);
    let server = serve(layer, || stepwise([Step::Wait, Step::Raise])).await;
    assert_eq!(server.get("/").await.status, StatusCode::IM_A_TEAPOT);
    let reports = reports.take();
    let [report] = &reports[..] else {
        panic!("{reports:?}")
    };
    assert_eq!(report.failure, "410: sold out");
    assert_eq!(report.outcome, Outcome::Status(StatusCode::IM_A_TEAPOT));
}

#[tokio::test]
async fn an_attached_exception_is_not_adopted() {
    let layer = adopting().on(|exception: Caught<HttpException>| {
        HttpException::new(exception.status()).with_detail(format!("{:?}", exception.mechanism()))
    });
    let server = serve(layer, || {
        Response::<Full<Bytes>>::from(HttpException::gone("sold out"))
    });
    server.await.get("/").await.assert_detail(410, "Attached");
}

#[tokio::test]
async fn head_has_the_length_of_get() {
    let server = axum_app().await;
    for path in ["/nowhere", "/items/plumbus"] {
        let head = server.head(path).await;
        let get = server.get(path).await;
        assert_eq!((head.status, &head.body[..]), (get.status, &b""[..]));
        for name in ["content-type", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{path}");
        }
    }
}

/// If the service itself has omitted the text, the length of the response to a `GET` is unknown.
#[tokio::test]
async fn head_has_no_length_if_it_is_unknown() {
    let respond = || {
        let mut response = plain(Full::<Bytes>::default());
        let length = HeaderValue::from_static("1234");
        response.headers_mut().insert(CONTENT_LENGTH, length);
        response
    };
    let head = serve(adopting(), respond).await.head("/").await;
    assert_eq!((head.status.as_u16(), head.text()), (409, ""));
    assert_eq!(head.header("content-type"), Some("application/json"));
    assert_eq!(head.header("content-length"), None);
}

#[tokio::test]
async fn headers_of_the_response_stay_except_those_of_its_body() {
    let received = response_of(|| {
        let mut response = plain(Full::<Bytes>::from("plain"));
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
        headers.insert(SERVER, HeaderValue::from_static("plumbus/1"));
        headers.append("set-cookie", HeaderValue::from_static("a=1"));
        headers.append("set-cookie", HeaderValue::from_static("b=2"));
        response
    })
    .await;
    received.assert_detail(409, "plain");
    assert_eq!(received.header("server"), Some("plumbus/1"));
    let cookies: Vec<_> = received.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
}

#[tokio::test]
async fn an_adopted_exception_has_the_headers_of_the_response() {
    let layer = adopting().on(|exception: Caught<HttpException>| {
        let names: Vec<_> = exception
            .headers()
            .keys()
            .map(|name| name.as_str())
            .collect();
        HttpException::new(exception.status()).with_detail(names.join(", "))
    });
    let server = serve(layer, || {
        let mut response = plain(Full::<Bytes>::from("plain"));
        let server = HeaderValue::from_static("plumbus/1");
        response.headers_mut().insert(SERVER, server);
        response
    });
    server.await.get("/").await.assert_detail(409, "server");
}

#[tokio::test]
async fn handlers_apply_to_adopted_exceptions() {
    let app = Router::new()
        .route("/items/{id}", get(|Path(_): Path<u32>| async {}))
        .layer(
            adopting()
                .on_status(StatusCode::NOT_FOUND, |exception: Caught<HttpException>| {
                    assert_eq!(exception.mechanism(), Mechanism::Adopted);
                    HttpException::not_found(format!("no {}", exception.request().uri()))
                })
                .on(async |_: Caught<HttpException>| StatusCode::IM_A_TEAPOT),
        );
    let server = Server::start(app).await;
    server
        .get("/nowhere")
        .await
        .assert_detail(404, "no /nowhere");
    let received = server.get("/items/plumbus").await;
    received.assert_detail(418, "I'm a teapot");
}

#[tokio::test]
async fn a_renderer_renders_adopted_exceptions() {
    let layer = adopting().with_renderer(|exception: &HttpException, _: &Caught| {
        Rendered::new(HeaderValue::from_static("text/x"), exception.to_string())
    });
    let server = serve(layer, || plain(Full::<Bytes>::from("plain"))).await;
    let received = server.get("/").await;
    assert_eq!(received.header("content-type"), Some("text/x"));
    assert_eq!(received.text(), "409: plain");
    assert_eq!(received.header("content-length"), Some("10"));
}

#[tokio::test]
async fn an_outer_layer_handles_what_an_inner_layer_adopted() {
    let service = service_fn(async |_: Request<Incoming>| {
        Ok::<_, BoxError>(plain(Full::<Bytes>::from("plain")))
    });
    let outer = ExceptionLayer::new()
        .on(|exception: Caught<HttpException>| HttpException::gone(exception.to_string()));
    let server = Server::start(outer.layer(adopting().layer(service))).await;
    server.get("/").await.assert_detail(410, "409: plain");
}

#[tokio::test]
async fn nothing_is_adopted_by_default() {
    let layer = ExceptionLayer::new().capture_headers();
    let server = serve(layer, || plain(Full::<Bytes>::from("plain"))).await;
    assert_eq!(server.get("/").await.text(), "plain");
}
