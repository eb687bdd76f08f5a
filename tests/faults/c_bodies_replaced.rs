//! Bodies that an exception replaces: the headers of the old body, and the length for a `HEAD`.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tower::{BoxError, Layer, service_fn, util::MapResponseLayer};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, config::Configured, render::Rendered,
};
use tower_http::services::{ServeDir, ServeFile};

use crate::support::{PROTOCOLS, Received, Server, body, request};

fn value(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

type MakeLayer = fn() -> ExceptionLayer<Configured>;

fn adopting() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().adopt_error_responses()
}

fn with_renderer() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().with_renderer(|exception: &HttpException, _: &Caught| {
        Rendered::new(value("text/x"), exception.to_string())
    })
}

// C2

/// An upstream's response: a text for a `GET`, and no body for a `HEAD`.
#[derive(Clone, Copy, Debug)]
enum Upstream {
    /// The head has the length of the text.
    WithLength,
    /// The text has no known length.
    WithoutLength,
    /// The service sends the text for a `HEAD` too, as most hyper services do.
    Same,
    /// The body is empty, and the head says so.
    Empty,
}

const UPSTREAMS: [Upstream; 4] = [
    Upstream::WithLength,
    Upstream::WithoutLength,
    Upstream::Same,
    Upstream::Empty,
];

impl Upstream {
    fn respond(self, method: &Method) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
        let text = "there is no such thing, and there never was";
        let frames = match (self, method == Method::HEAD) {
            (Self::Empty, _) => vec![],
            (Self::Same, _) | (_, false) => vec![Ok(text)],
            (_, true) => vec![],
        };
        let mut response = Response::new(body(futures_util::stream::iter(frames)));
        *response.status_mut() = StatusCode::NOT_FOUND;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, value("text/plain"));
        match self {
            Self::WithLength => drop(headers.insert(header::CONTENT_LENGTH, text.len().into())),
            Self::Empty => drop(headers.insert(header::CONTENT_LENGTH, value("0"))),
            _ => {}
        }
        response
    }
}

/// Asserts that a `HEAD` gets the headers of a `GET`, and its length or none.
#[track_caller]
fn assert_same_head(get: &Received, head: &Received, case: &str) {
    assert_eq!(head.status, get.status, "{case}");
    let length = head.headers.get(header::CONTENT_LENGTH);
    if length.is_some() {
        assert_eq!(length, get.headers.get(header::CONTENT_LENGTH), "{case}");
    }
    let without_length = |received: &Received| {
        let mut headers = received.headers_without_date();
        headers.remove(header::CONTENT_LENGTH);
        headers
    };
    assert_eq!(without_length(head), without_length(get), "{case}");
}

async fn check_head(server: &Server, case: &str) -> [(Received, Received); 2] {
    let mut received = Vec::new();
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        let get = client.exchange(request(Method::GET, "/")).await.unwrap();
        let head = client.exchange(request(Method::HEAD, "/")).await.unwrap();
        assert_same_head(&get, &head, &format!("{case} {protocol:?}"));
        received.push((get, head));
    }
    received.try_into().unwrap()
}

#[tokio::test]
async fn head_of_an_adopted_error_has_the_length_of_a_get_or_none() {
    let layers: [(&str, MakeLayer); 8] = [
        ("default", adopting),
        ("server", || adopting().adopt_server_error_texts()),
        ("renderer", || with_renderer().adopt_error_responses()),
        ("exception", || {
            adopting().on(|caught: Caught<HttpException>| {
                HttpException::gone(format!("it is gone: {}", *caught))
            })
        }),
        ("async", || {
            adopting().on(async |caught: Caught<HttpException>| {
                tokio::task::yield_now().await;
                HttpException::gone(format!("it is gone: {}", *caught))
            })
        }),
        ("response", || {
            adopting().on(|caught: Caught<HttpException>| {
                Response::new(Full::<Bytes>::from(caught.to_string()))
            })
        }),
        ("response with a length", || {
            adopting().on(|caught: Caught<HttpException>| {
                let text = caught.to_string();
                let response = Response::builder().header(header::CONTENT_LENGTH, text.len());
                response.body(Full::<Bytes>::from(text)).unwrap()
            })
        }),
        ("panic", || {
            adopting().on(|caught: Caught<HttpException>| -> StatusCode { panic!("{caught}") })
        }),
    ];
    for upstream in UPSTREAMS {
        for (name, layer) in &layers {
            let service = service_fn(move |request: Request<Incoming>| async move {
                Ok::<_, BoxError>(upstream.respond(request.method()))
            });
            let server = Server::start(layer().layer(service)).await;
            let case = format!("{upstream:?} {name}");
            let received = check_head(&server, &case).await;
            for (_, head) in received {
                let knows = matches!(upstream, Upstream::Same | Upstream::Empty);
                let has_length = head.headers.contains_key(header::CONTENT_LENGTH);
                assert_eq!(has_length, knows, "{case}: {head}");
            }
            // Under a second layer, and with the handler or renderer in the outer one.
            let nested = ExceptionLayer::new().layer(layer().layer(service));
            check_head(&Server::start(nested).await, &case).await;
            let nested = layer().layer(adopting().layer(service));
            check_head(&Server::start(nested).await, &case).await;
        }
    }
}

#[tokio::test]
async fn head_of_an_attached_exception_has_the_length_of_a_get() {
    let layers: [MakeLayer; 3] = [
        || ExceptionLayer::new().capture_headers(),
        with_renderer,
        || ExceptionLayer::new().on(|_: Caught<HttpException>| HttpException::gone("sold out")),
    ];
    for (i, layer) in layers.into_iter().enumerate() {
        let service = service_fn(async |_: Request<Incoming>| {
            let response: Response<Full<Bytes>> = HttpException::not_found("no such item").into();
            Ok::<_, BoxError>(response)
        });
        let app = layer().layer(service);
        for (get, head) in check_head(&Server::start(app).await, &i.to_string()).await {
            let length = header::CONTENT_LENGTH;
            assert_eq!(head.headers.get(&length), get.headers.get(&length), "{i}");
        }
        let app = layer().layer(ExceptionLayer::new().layer(service));
        for (get, head) in check_head(&Server::start(app).await, &i.to_string()).await {
            let length = header::CONTENT_LENGTH;
            assert_eq!(head.headers.get(&length), get.headers.get(&length), "{i}");
        }
    }
}

/// A text that is too long to be adopted is not adopted for a `HEAD` either.
#[tokio::test]
async fn head_of_a_long_text_passes_as_a_get_does() {
    let service = service_fn(async |request: Request<Incoming>| {
        let text = match *request.method() {
            Method::HEAD => String::new(),
            _ => "x".repeat(2000),
        };
        let response = Response::builder()
            .status(404)
            .header(header::CONTENT_TYPE, "text/plain")
            .header(header::CONTENT_LENGTH, 2000);
        Ok::<_, BoxError>(response.body(Full::<Bytes>::from(text)).unwrap())
    });
    let layer = ExceptionLayer::new().adopt_error_responses_up_to(1999);
    let server = Server::start(layer.layer(service)).await;
    for (get, head) in check_head(&server, "long").await {
        assert_eq!(get.text(), "x".repeat(2000));
        assert_eq!(head.header("content-length"), Some("2000"));
    }
}

// C3

fn ranged(range: &'static str) -> Request<Full<Bytes>> {
    let mut request = request(Method::GET, "/Cargo.toml");
    request.headers_mut().insert(header::RANGE, value(range));
    request
}

#[tokio::test]
async fn an_adopted_416_says_the_length_of_the_file_and_describes_no_other_body() {
    let length = std::fs::metadata("Cargo.toml").unwrap().len();
    let layers: [MakeLayer; 3] = [
        adopting,
        || with_renderer().adopt_error_responses(),
        || adopting().on(|caught: Caught<HttpException>| (*caught).clone()),
    ];
    for layer in layers {
        let server = Server::start(layer().layer(ServeDir::new("."))).await;
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            let received = client.exchange(ranged("bytes=900000-")).await.unwrap();
            assert_eq!(received.status, 416);
            let range = format!("bytes */{length}");
            assert_eq!(
                received
                    .headers
                    .get_all(header::CONTENT_RANGE)
                    .iter()
                    .count(),
                1
            );
            assert_eq!(received.header("content-range"), Some(&*range));
            for name in ["etag", "last-modified", "accept-ranges"] {
                assert_eq!(received.header(name), None, "{received}");
            }
            let body = String::from_utf8_lossy(&received.body);
            assert!(body.contains("Range Not Satisfiable"), "{received}");
        }
    }
}

#[tokio::test]
async fn a_416_of_an_exception_has_its_content_range_once() {
    let exception = || {
        HttpException::new(StatusCode::RANGE_NOT_SATISFIABLE)
            .with_header(header::CONTENT_RANGE, value("bytes */1000"))
    };
    let service = service_fn(move |_: Request<Incoming>| async move {
        Ok::<_, BoxError>(Response::<Full<Bytes>>::from(exception()))
    });
    let server = Server::start(with_renderer().layer(service)).await;
    let received = server.get("/").await;
    assert_eq!(
        received
            .headers
            .get_all(header::CONTENT_RANGE)
            .iter()
            .count(),
        1
    );
    assert_eq!(received.text(), "416: Range Not Satisfiable");
}

/// A 404 has no range.
#[tokio::test]
async fn a_file_that_is_not_there_describes_nothing() {
    let server = Server::start(adopting().layer(ServeFile::new("no-such-file"))).await;
    let received = server.get("/").await;
    received.assert_detail(404, "Not Found");
}

// C4

/// Headers that describe a body, as a service or a middleware sets them.
const OLD_BODY: [(&str, &str); 13] = [
    ("content-disposition", "attachment; filename=old.txt"),
    ("content-language", "de"),
    ("content-location", "/old"),
    ("content-md5", "Q2hlY2sgSW50ZWdyaXR5IQ=="),
    ("content-range", "bytes 0-2/3"),
    ("etag", "\"old\""),
    ("digest", "sha-256=old"),
    ("content-digest", "sha-256=:b2xk:"),
    ("repr-digest", "sha-256=:b2xk:"),
    ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
    ("accept-ranges", "bytes"),
    ("trailer", "x-sum"),
    ("content-style-type", "text/css"),
];

/// Headers that apply to whatever body there is.
const ANY_BODY: [(&str, &str); 5] = [
    ("content-security-policy", "default-src 'none'"),
    ("content-security-policy-report-only", "default-src 'none'"),
    ("vary", "accept"),
    ("x-content-type-options", "nosniff"),
    ("set-cookie", "a=b"),
];

fn set_all<B>(response: &mut Response<B>) {
    for (name, text) in OLD_BODY.into_iter().chain(ANY_BODY) {
        let name = HeaderName::from_static(name);
        response.headers_mut().insert(name, value(text));
    }
}

#[track_caller]
fn assert_none_of_the_old_body(received: &Received) {
    for (name, _) in OLD_BODY {
        assert_eq!(received.header(name), None, "{received}");
    }
}

#[tokio::test]
async fn an_adopted_response_loses_every_header_of_the_old_body() {
    let service = service_fn(async |_: Request<Incoming>| {
        let mut response = Response::new(Full::<Bytes>::from("old"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        set_all(&mut response);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, value("text/plain"));
        Ok::<_, BoxError>(response)
    });
    let layers: [MakeLayer; 3] = [
        adopting,
        || with_renderer().adopt_error_responses(),
        || adopting().on(|caught: Caught<HttpException>| (*caught).clone()),
    ];
    for layer in layers {
        let server = Server::start(layer().layer(service)).await;
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            let received = client.exchange(request(Method::GET, "/")).await.unwrap();
            assert_none_of_the_old_body(&received);
            for (name, text) in ANY_BODY {
                assert_eq!(received.header(name), Some(text), "{received}");
            }
        }
    }
}

/// A middleware between two layers describes the body that the outer layer replaces.
#[tokio::test]
async fn a_response_that_is_rendered_again_loses_every_header_of_the_old_body() {
    macro_rules! check {
        ($layer:expr) => {
            let service = service_fn(async |_: Request<Incoming>| {
                Err::<Response<Full<Bytes>>, _>(BoxError::from(HttpException::not_found("no item")))
            });
            let set = MapResponseLayer::new(|mut response: Response<_>| {
                set_all(&mut response);
                response
            });
            let inner = set.layer($layer.layer(service));
            let received = Server::start(with_renderer().layer(inner))
                .await
                .get("/")
                .await;
            assert_eq!(received.text(), "404: no item");
            assert_none_of_the_old_body(&received);
            for (name, text) in ANY_BODY {
                assert_eq!(received.header(name), Some(text), "{received}");
            }
        };
    }
    check!(ExceptionLayer::new());
    check!(ExceptionLayer::new().capture_headers());
}

/// An exception's own headers describe whatever body it is rendered as.
#[tokio::test]
async fn an_exceptions_own_headers_stay_when_it_is_rendered_again() {
    let service = service_fn(async |_: Request<Incoming>| {
        let exception = HttpException::precondition_failed("changed")
            .with_header(header::ETAG, value("\"2\""))
            .with_header(header::CONTENT_LANGUAGE, value("en"));
        Ok::<_, BoxError>(Response::<Full<Bytes>>::from(exception))
    });
    let server = Server::start(with_renderer().layer(service)).await;
    let received = server.get("/").await;
    assert_eq!(
        received.to_string(),
        r#"412 | content-language: en | content-length: 12 | content-type: text/x | etag: \"2\" | 412: changed"#
    );
}

/// A length and an encoding of the transfer exclude each other (RFC 9112, section 6.2).
#[tokio::test]
async fn an_adopted_response_is_framed_once() {
    let service = service_fn(async |_: Request<Incoming>| {
        let mut response = Response::new(Full::<Bytes>::from("old").boxed());
        *response.status_mut() = StatusCode::NOT_FOUND;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, value("text/plain"));
        headers.insert(header::TRANSFER_ENCODING, value("chunked"));
        Ok::<_, BoxError>(response)
    });
    let server = Server::start(adopting().layer(service)).await;
    for received in [server.get("/").await, server.head("/").await] {
        assert_eq!(received.header("transfer-encoding"), None, "{received}");
        assert_eq!(received.header("content-length"), Some("16"), "{received}");
    }
}
