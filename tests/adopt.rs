//! Plain error responses that are taken for exceptions, and those that are left alone.

mod support;

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
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
    Answer as Given, Caught, Custom, ExceptionLayer, How, HttpException, Place, RequestHead,
    render::Rendered,
};

use support::{Answer, BoxError, Server, request};

const LIMIT: usize = 64 * 1024;

fn adopting() -> ExceptionLayer<Custom> {
    ExceptionLayer::new().adopt_error_responses()
}

// What axum answers by itself.

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
async fn an_unknown_route_of_axums() {
    let answer = axum_app().await.get("/nowhere").await;
    answer.assert_detail(404, "Not Found");
}

#[tokio::test]
async fn a_wrong_method_of_axums_keeps_allow() {
    let server = axum_app().await;
    let answer = server.send(request(Method::DELETE, "/pages")).await;
    answer.assert_detail(405, "Method Not Allowed");
    assert_eq!(answer.header("allow"), Some("GET,HEAD,POST"));
}

#[tokio::test]
async fn a_path_that_does_not_parse() {
    let answer = axum_app().await.get("/items/plumbus").await;
    answer.assert_detail(400, "Invalid URL: Cannot parse `plumbus` to a `u32`");
}

#[tokio::test]
async fn a_query_that_does_not_parse() {
    let answer = axum_app().await.get("/pages?page=many").await;
    answer.assert_detail(
        400,
        "Failed to deserialize query string: page: invalid digit found in string",
    );
}

#[tokio::test]
async fn json_that_is_none() {
    let server = axum_app().await;
    let answer = server
        .send(post_to("/pages", "application/json", "{"))
        .await;
    answer.assert_detail(
        400,
        "Failed to parse the request body as JSON: EOF while parsing an object at line 1 column 1",
    );
}

#[tokio::test]
async fn json_that_does_not_fit() {
    let server = axum_app().await;
    let body = post_to("/pages", "application/json", r#"{"page":"many"}"#);
    server.send(body).await.assert_detail(
        422,
        "Failed to deserialize the JSON body into the target type: page: invalid type: \
         string \"many\", expected u32 at line 1 column 14",
    );
}

#[tokio::test]
async fn json_without_its_content_type() {
    let server = axum_app().await;
    let answer = server.send(post_to("/pages", "text/plain", "{}")).await;
    answer.assert_detail(
        415,
        "Expected request with `Content-Type: application/json`",
    );
}

#[tokio::test]
async fn a_body_over_axums_limit() {
    let server = axum_app().await;
    let answer = server.send(post_to("/little", "text/plain", "12345")).await;
    answer.assert_detail(
        413,
        "Failed to buffer the request body: length limit exceeded",
    );
}

// What any service may answer.

/// One step of a body.
enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Comes back later.
    Wait,
    Fail,
    Raise,
    Panic,
}

/// A body that goes through these steps, and does not know its length.
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

/// An error response with such a body, for a text.
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

/// Serves `respond`'s responses under `layer`.
async fn serve<B>(layer: ExceptionLayer<Custom>, respond: fn() -> Response<B>) -> Server
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let service =
        service_fn(move |_: Request<Incoming>| async move { Ok::<_, BoxError>(respond()) });
    Server::start(layer.layer(service)).await
}

async fn answer<B>(respond: fn() -> Response<B>) -> Answer
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    serve(adopting(), respond).await.get("/").await
}

#[tokio::test]
async fn a_text_becomes_the_detail() {
    let answer = answer(|| plain(Full::<Bytes>::from("already \"there\""))).await;
    answer.assert_detail(409, "already \"there\"");
}

#[tokio::test]
async fn a_text_that_comes_in_pieces() {
    let answer = answer(|| {
        stepwise([
            Step::Wait,
            data("one "),
            Step::Wait,
            data("two"),
            Step::Wait,
        ])
    });
    answer.await.assert_detail(409, "one two");
}

#[tokio::test]
async fn an_empty_text_is_no_detail() {
    answer(|| stepwise([])).await.assert_detail(409, "Conflict");
}

#[tokio::test]
async fn an_empty_body_without_a_type_is_no_detail() {
    let respond = || {
        let mut response = plain(Full::<Bytes>::default());
        response.headers_mut().remove(CONTENT_TYPE);
        response
    };
    answer(respond).await.assert_detail(409, "Conflict");
}

#[tokio::test]
async fn the_content_types_case_does_not_matter() {
    let respond = || {
        let mut response = plain(Full::<Bytes>::from("loud"));
        let text = HeaderValue::from_static("TEXT/Plain ;charset=UTF-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        response
    };
    answer(respond).await.assert_detail(409, "loud");
}

#[tokio::test]
async fn server_errors_are_adopted_too() {
    let respond = || {
        let mut response = plain(Full::<Bytes>::from("down"));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    };
    answer(respond).await.assert_detail(502, "down");
}

/// The answer to `respond`, which is to be what it would be without the layer.
async fn untouched<B>(respond: fn() -> Response<B>) -> Answer
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let bare = service_fn(move |_: Request<Incoming>| async move { Ok(respond()) });
    let bare = Server::start(bare).await.get("/").await;
    let answer = answer(respond).await;
    assert_eq!(answer.status, bare.status);
    assert_eq!(answer.body, bare.body);
    assert_eq!(answer.trailers, bare.trailers);
    assert_eq!(answer.cut_short, bare.cut_short);
    let compared = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("date");
        headers
    };
    assert_eq!(compared(&answer), compared(&bare));
    answer
}

#[tokio::test]
async fn a_text_that_is_no_error_is_left_alone() {
    let answer = untouched(|| {
        let mut response = plain(Full::<Bytes>::from("fine"));
        *response.status_mut() = StatusCode::OK;
        response
    });
    assert_eq!(answer.await.text(), "fine");
}

#[tokio::test]
async fn json_and_html_are_left_alone() {
    let answer = untouched(|| {
        let mut response = plain(Full::<Bytes>::from(r#"{"own": "format"}"#));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    });
    assert_eq!(answer.await.text(), r#"{"own": "format"}"#);
    let answer = untouched(|| {
        let mut response = plain(Full::<Bytes>::from("<h1>No</h1>"));
        let html = HeaderValue::from_static("text/html");
        response.headers_mut().insert(CONTENT_TYPE, html);
        response
    });
    assert_eq!(answer.await.text(), "<h1>No</h1>");
}

#[tokio::test]
async fn empty_json_is_left_alone() {
    let answer = untouched(|| {
        let mut response = plain(Full::<Bytes>::default());
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    });
    assert_eq!(answer.await.text(), "");
}

#[tokio::test]
async fn a_body_of_no_known_type_is_left_alone() {
    let answer = untouched(|| {
        let mut response = plain(Full::<Bytes>::from("what is this?"));
        response.headers_mut().remove(CONTENT_TYPE);
        response
    });
    assert_eq!(answer.await.text(), "what is this?");
}

#[tokio::test]
async fn a_body_of_no_known_type_or_length_is_left_alone() {
    let answer = untouched(|| {
        let mut response = stepwise([Step::Wait, data("what "), data("is this?")]);
        response.headers_mut().remove(CONTENT_TYPE);
        response
    });
    assert_eq!(answer.await.text(), "what is this?");
}

#[tokio::test]
async fn a_text_just_as_long_as_the_limit_is_adopted() {
    let answer = answer(|| {
        let half = || data("x".repeat(LIMIT / 2));
        stepwise([half(), Step::Wait, half()])
    });
    answer.await.assert_detail(409, &"x".repeat(LIMIT));
}

#[tokio::test]
async fn a_longer_text_is_left_alone() {
    let answer = untouched(|| {
        let half = || data("x".repeat(LIMIT / 2));
        stepwise([half(), half(), Step::Wait, data("y"), Step::Wait, data("z")])
    });
    assert_eq!(answer.await.text(), "x".repeat(LIMIT) + "yz");
}

#[tokio::test]
async fn a_longer_text_of_known_length_is_left_alone() {
    let answer = untouched(|| plain(Full::<Bytes>::from("x".repeat(LIMIT + 1)))).await;
    let length = (LIMIT + 1).to_string();
    assert_eq!(answer.header("content-length"), Some(&*length));
}

#[tokio::test]
async fn the_limit_can_be_set() {
    let server = serve(ExceptionLayer::new().adopt_up_to(4), || {
        plain(Full::<Bytes>::from("12345"))
    });
    assert_eq!(server.await.get("/").await.text(), "12345");
    let server = serve(ExceptionLayer::new().adopt_up_to(4), || {
        plain(Full::<Bytes>::from("1234"))
    });
    server.await.get("/").await.assert_detail(409, "1234");
}

#[tokio::test]
async fn what_is_not_utf_8_is_left_alone() {
    let respond = || stepwise([data(&b"caf"[..]), Step::Wait, data(&b"\xe9"[..])]);
    let answer = answer(respond).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body[..]),
        (409, &b"caf\xe9"[..])
    );
    let text = "text/plain; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(text));
    // It was read to its end, so that its length is known.
    assert_eq!(answer.header("content-length"), Some("4"));
}

#[tokio::test]
async fn a_character_may_be_cut_by_the_end_of_a_piece() {
    let answer = answer(|| stepwise([data(&b"caf\xc3"[..]), data(&b"\xa9"[..])]));
    answer.await.assert_detail(409, "caf\u{e9}");
}

#[tokio::test]
async fn what_is_compressed_is_left_alone() {
    let answer = untouched(|| {
        let mut response = plain(Full::<Bytes>::from("not really gzip"));
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, gzip);
        response
    });
    assert_eq!(answer.await.header("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn what_has_trailers_is_left_alone() {
    let answer = untouched(|| {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("42"));
        let steps = [data("text"), Step::Wait, Step::Trailers(trailers)];
        let mut response = stepwise(steps);
        let announced = HeaderValue::from_static("x-sum");
        response.headers_mut().insert("trailer", announced);
        response
    });
    // The client has not asked for them, so that they are not sent; but the body passed them on.
    assert_eq!(answer.await.text(), "text");
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
async fn what_ends_in_an_error_is_cut_short_as_it_would_have_been() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let layer = adopting().observe(move |caught: &Caught, given: Given| {
        telling.lock().unwrap().push((caught.to_string(), given));
    });
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
    let text = "connection to the database lost".to_owned();
    assert_eq!(*told.lock().unwrap(), [(text, Given::CutShort)]);
}

#[tokio::test]
async fn a_body_that_raises_while_it_is_read_is_answered() {
    let answer = answer(|| stepwise([data("half "), Step::Wait, Step::Raise]));
    answer.await.assert_detail(410, "sold out");
}

#[tokio::test]
async fn a_body_that_panics_while_it_is_read_is_answered() {
    let answer = answer(|| stepwise([data("half "), Step::Wait, Step::Panic])).await;
    answer.assert_default_500();
}

#[tokio::test]
async fn handlers_and_observers_hear_of_a_body_that_raises_while_it_is_read() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let layer = adopting()
        .on(|exception: Caught<HttpException>| {
            assert_eq!(
                (exception.how(), exception.place()),
                (How::Raised, Place::Body)
            );
            StatusCode::IM_A_TEAPOT
        })
        .observe(move |caught: &Caught, given: Given| {
            telling.lock().unwrap().push((caught.to_string(), given));
        });
    let server = serve(layer, || stepwise([Step::Wait, Step::Raise])).await;
    assert_eq!(server.get("/").await.status, StatusCode::IM_A_TEAPOT);
    let status = Given::Status(StatusCode::IM_A_TEAPOT);
    assert_eq!(
        *told.lock().unwrap(),
        [("410: sold out".to_owned(), status)]
    );
}

#[tokio::test]
async fn an_exception_that_is_attached_is_not_adopted() {
    let layer = adopting().on(|exception: Caught<HttpException>| {
        HttpException::new(exception.status()).with_detail(format!("{:?}", exception.how()))
    });
    let server = serve(layer, || {
        Response::<Full<Bytes>>::from(HttpException::gone("sold out"))
    });
    server.await.get("/").await.assert_detail(410, "Attached");
}

#[tokio::test]
async fn head_is_answered_with_the_length_that_get_has() {
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

/// Where the service itself has taken the text away, how long a `GET`'s answer would be is not to be known.
#[tokio::test]
async fn head_is_answered_without_a_length_that_is_not_known() {
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
async fn headers_of_the_response_are_kept_bar_those_of_its_body() {
    let answer = answer(|| {
        let mut response = plain(Full::<Bytes>::from("plain"));
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
        headers.insert(SERVER, HeaderValue::from_static("plumbus/1"));
        headers.append("set-cookie", HeaderValue::from_static("a=1"));
        headers.append("set-cookie", HeaderValue::from_static("b=2"));
        response
    })
    .await;
    answer.assert_detail(409, "plain");
    assert_eq!(answer.header("server"), Some("plumbus/1"));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
}

#[tokio::test]
async fn an_exception_has_the_headers_that_the_response_had() {
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
async fn handlers_apply_to_what_is_adopted() {
    let app = Router::new()
        .route("/items/{id}", get(|Path(_): Path<u32>| async {}))
        .layer(
            adopting()
                .on_status(StatusCode::NOT_FOUND, |exception: Caught<HttpException>| {
                    assert_eq!(exception.how(), How::Adopted);
                    HttpException::not_found(format!("no {}", exception.request().uri()))
                })
                .on(async |_: Caught<HttpException>| StatusCode::IM_A_TEAPOT),
        );
    let server = Server::start(app).await;
    server
        .get("/nowhere")
        .await
        .assert_detail(404, "no /nowhere");
    let answer = server.get("/items/plumbus").await;
    answer.assert_detail(418, "I'm a teapot");
}

#[tokio::test]
async fn a_renderer_renders_what_is_adopted() {
    let layer = adopting().render(|exception: &HttpException, _: &RequestHead| {
        Rendered::new(HeaderValue::from_static("text/x"), exception.to_string())
    });
    let server = serve(layer, || plain(Full::<Bytes>::from("plain"))).await;
    let answer = server.get("/").await;
    assert_eq!(answer.header("content-type"), Some("text/x"));
    assert_eq!(answer.text(), "409: plain");
    assert_eq!(answer.header("content-length"), Some("10"));
}

#[tokio::test]
async fn an_outer_layer_handles_what_an_inner_one_has_adopted() {
    let service = service_fn(async |_: Request<Incoming>| {
        Ok::<_, BoxError>(plain(Full::<Bytes>::from("plain")))
    });
    let outer = ExceptionLayer::new()
        .on(|exception: Caught<HttpException>| HttpException::gone(exception.to_string()));
    let server = Server::start(outer.layer(adopting().layer(service))).await;
    server.get("/").await.assert_detail(410, "409: plain");
}

#[tokio::test]
async fn nothing_is_adopted_unless_asked_for() {
    let layer = ExceptionLayer::new().capture_headers();
    let server = serve(layer, || plain(Full::<Bytes>::from("plain"))).await;
    assert_eq!(server.get("/").await.text(), "plain");
}
