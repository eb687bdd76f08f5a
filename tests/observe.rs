//! Who is told of what was caught: observers, and under the feature `tracing` the log.

#[cfg(feature = "tracing")]
mod log;
mod support;

use std::{
    panic::panic_any,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, Service, service_fn};
use tower_exception::{
    Answer as Given, Caught, Custom, ExceptionLayer, How, HttpException, Place, RequestHead,
    render::Rendered,
};

use support::{BoxError, Inner, Outer, Server};

fn missing() -> HttpException {
    HttpException::not_found("Item not found")
}

fn failing()
-> impl Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = BoxError, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(|request: Request<Incoming>| async move {
        match request.uri().path() {
            "/returned" => Err(missing().into()),
            "/attached" => Ok(missing().into()),
            "/raised" => missing().raise(),
            "/raised-async" => missing().raise_async().await,
            "/panicked-with-an-exception" => panic_any(missing()),
            "/error" => Err(Outer::of(Inner::default()).into()),
            "/panicked" => panic!("at the disco"),
            "/adopted" => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::CONFLICT;
                Ok(response)
            }
            _ => Ok(Response::new(Full::from("fine"))),
        }
    })
}

type Told = Arc<Mutex<Vec<(String, How, Place, Given)>>>;

fn observed(layer: ExceptionLayer<Custom>) -> (ExceptionLayer<Custom>, Told) {
    let told = Told::default();
    let telling = Arc::clone(&told);
    let layer = layer.observe(move |caught: &Caught, given: Given| {
        let entry = (caught.to_string(), caught.how(), caught.place(), given);
        telling.lock().unwrap().push(entry);
    });
    (layer, told)
}

async fn told_of(path: &str, layer: ExceptionLayer<Custom>) -> Vec<(String, How, Place, Given)> {
    let (layer, told) = observed(layer);
    let server = Server::start(layer.layer(failing())).await;
    server.get(path).await;
    let told = told.lock().unwrap();
    told.clone()
}

fn custom() -> ExceptionLayer<Custom> {
    ExceptionLayer::new().adopt_error_responses()
}

#[tokio::test]
async fn told_of_each_once_with_the_answer() {
    for (path, text, how, status) in [
        ("/returned", "404: Item not found", How::Returned, 404),
        ("/attached", "404: Item not found", How::Attached, 404),
        ("/raised", "404: Item not found", How::Raised, 404),
        (
            "/raised-async",
            "404: Item not found",
            How::RaisedAsync,
            404,
        ),
        (
            "/panicked-with-an-exception",
            "404: Item not found",
            How::Raised,
            404,
        ),
        ("/error", "Outer with a secret", How::Returned, 500),
        ("/panicked", "panicked: at the disco", How::Panicked, 500),
        ("/adopted", "409: Conflict", How::Adopted, 409),
    ] {
        let given = Given::Status(StatusCode::from_u16(status).unwrap());
        let told = told_of(path, custom()).await;
        assert_eq!(
            told,
            [(text.to_owned(), how, Place::Future, given)],
            "{path}"
        );
    }
}

#[tokio::test]
async fn told_of_nothing_where_nothing_was_raised() {
    assert_eq!(told_of("/", custom()).await, []);
}

#[tokio::test]
async fn told_of_the_status_that_a_handler_answered_with() {
    for path in ["/returned", "/attached", "/error", "/panicked", "/adopted"] {
        let told = told_of(path, custom().on_any(|_: Caught| StatusCode::IM_A_TEAPOT)).await;
        let [(_, _, _, given)] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(*given, Given::Status(StatusCode::IM_A_TEAPOT), "{path}");
    }
}

#[tokio::test]
async fn all_observers_are_told_in_order() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let push = |name: &'static str| {
        let order = Arc::clone(&order);
        move |_: &Caught, _: Given| order.lock().unwrap().push(name)
    };
    let layer = ExceptionLayer::new().observe(push("1")).observe(push("2"));
    Server::start(layer.layer(failing()))
        .await
        .get("/raised")
        .await;
    assert_eq!(*order.lock().unwrap(), ["1", "2"]);
}

#[tokio::test]
async fn an_observer_that_panics_disturbs_nothing() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("again"));
        }
    }
    let failing_observers = ExceptionLayer::new()
        .observe(|_: &Caught, _: Given| panic!("observer"))
        .observe(|_: &Caught, _: Given| missing().raise())
        .observe(|_: &Caught, _: Given| std::panic::resume_unwind(Box::new(Bomb)));
    let (layer, told) = observed(failing_observers);
    let server = Server::start(layer.layer(failing())).await;
    server
        .get("/raised")
        .await
        .assert_detail(404, "Item not found");
    server.get("/error").await.assert_default_500();
    assert_eq!(server.get("/").await.text(), "fine");
    assert_eq!(told.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn told_of_a_renderer_that_panics_and_of_what_it_was_to_render() {
    let layer =
        custom().render(|_: &HttpException, _: &RequestHead| -> Rendered { panic!("renderer") });
    let given = Given::Status(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        told_of("/raised", layer).await,
        [
            (
                "panicked: renderer".to_owned(),
                How::Panicked,
                Place::Answer,
                given
            ),
            (
                "404: Item not found".to_owned(),
                How::Raised,
                Place::Future,
                given
            ),
        ]
    );
}

#[tokio::test]
async fn an_observer_sees_the_request() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seeing = Arc::clone(&seen);
    let layer =
        ExceptionLayer::new()
            .capture_headers()
            .observe(move |caught: &Caught, _: Given| {
                let request = caught.request();
                let host = request
                    .headers()
                    .is_some_and(|headers| headers.contains_key("host"));
                let entry = (request.method().clone(), request.uri().to_string(), host);
                seeing.lock().unwrap().push(entry);
            });
    let server = Server::start(layer.layer(failing())).await;
    server.get("/raised?page=2").await;
    let expected = (http::Method::GET, "/raised?page=2".to_owned(), true);
    assert_eq!(*seen.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn nothing_of_a_secret_reaches_the_client() {
    let server = Server::start(custom().layer(failing())).await;
    for path in ["/error", "/panicked"] {
        let answer = server.get(path).await;
        answer.assert_default_500();
        let headers = format!("{:?}", answer.headers);
        assert!(!headers.contains("secret") && !headers.contains("disco"));
    }
}

#[cfg(feature = "tracing")]
mod events {
    use std::fmt;

    use super::*;
    use crate::log::{Line, Log};
    use http::{
        HeaderValue, Method,
        header::{CONTENT_TYPE, RETRY_AFTER},
    };
    use tracing::Level;

    async fn line_of(path: &str, layer: ExceptionLayer<Custom>) -> Line {
        let log = Log::start();
        let server = Server::start(layer.layer(failing())).await;
        server.get(path).await;
        log.line()
    }

    #[tokio::test]
    async fn an_exception_is_one_event() {
        for (path, how) in [
            ("/returned", "Returned"),
            ("/attached", "Attached"),
            ("/raised", "Raised"),
            ("/raised-async", "RaisedAsync"),
        ] {
            let line = line_of(path, custom()).await;
            assert_eq!(line.level, Level::DEBUG);
            assert_eq!(line.get("message"), Some("answered an exception"));
            assert_eq!(line.get("status"), Some("404"));
            assert_eq!(line.get("kind"), Some("http exception"));
            assert_eq!(line.get("how"), Some(how));
            assert_eq!(line.get("place"), Some("Future"));
            assert_eq!(line.get("method"), Some("GET"));
            assert_eq!(line.get("path"), Some(path));
            assert_eq!(line.get("error"), Some("404: Item not found"));
            let location = line.get("location").unwrap();
            assert!(location.contains("observe.rs:"), "{location}");
        }
    }

    #[tokio::test]
    async fn an_error_is_an_event_with_its_chain_of_sources() {
        let line = line_of("/error", custom()).await;
        assert_eq!(line.level, Level::ERROR);
        assert_eq!(line.get("status"), Some("500"));
        assert_eq!(line.get("kind"), Some("error"));
        assert_eq!(line.get("how"), Some("Returned"));
        let chain = "Outer with a secret: Inner with a secret";
        assert_eq!(line.get("error"), Some(chain));
        assert_eq!(line.get("location"), None);
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let line = line_of("/panicked", custom()).await;
        assert_eq!(line.level, Level::ERROR);
        assert_eq!(line.get("kind"), Some("panic"));
        assert_eq!(line.get("how"), Some("Panicked"));
        assert_eq!(line.get("error"), Some("panicked: at the disco"));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_whatever_a_handler_made_of_it() {
        let layer = custom().on_any(|_: Caught| StatusCode::IM_A_TEAPOT);
        let line = line_of("/panicked", layer).await;
        assert_eq!(line.level, Level::ERROR);
        assert_eq!(line.get("status"), Some("418"));
    }

    #[tokio::test]
    async fn the_level_is_that_of_the_answer() {
        let layer = custom().on_any(|_: Caught| StatusCode::IM_A_TEAPOT);
        let line = line_of("/error", layer).await;
        assert_eq!(
            (line.level, line.get("status")),
            (Level::DEBUG, Some("418"))
        );
        let layer = custom().on_any(|_: Caught| StatusCode::BAD_GATEWAY);
        let line = line_of("/returned", layer).await;
        assert_eq!(
            (line.level, line.get("status")),
            (Level::ERROR, Some("502"))
        );
    }

    #[tokio::test]
    async fn what_is_adopted_has_no_location() {
        let line = line_of("/adopted", custom()).await;
        assert_eq!(line.level, Level::DEBUG);
        assert_eq!(line.get("how"), Some("Adopted"));
        assert_eq!(line.get("location"), None);
    }

    #[tokio::test]
    async fn a_plain_layer_has_no_method_or_path() {
        let log = Log::start();
        let server = Server::start(ExceptionLayer::new().layer(failing())).await;
        server.get("/raised").await;
        let line = log.line();
        assert_eq!(line.get("status"), Some("404"));
        assert_eq!(line.get("kind"), Some("http exception"));
        assert_eq!(line.get("how"), Some("Raised"));
        assert_eq!((line.get("method"), line.get("path")), (None, None));
    }

    /// Its HTTP status, which is always 200, would say nothing.
    #[tokio::test]
    async fn a_grpc_status_is_logged_as_such() {
        let servers = [
            Server::start(ExceptionLayer::new().layer(failing())).await,
            Server::start(custom().layer(failing())).await,
        ];
        for server in servers {
            for (path, level, code) in [
                ("/raised", Level::DEBUG, "NOT_FOUND"),
                ("/error", Level::ERROR, "INTERNAL"),
            ] {
                let log = Log::start();
                let mut request = support::request(Method::POST, path);
                let grpc = HeaderValue::from_static("application/grpc");
                request.headers_mut().insert(CONTENT_TYPE, grpc);
                server.send(request).await;
                let line = log.line();
                assert_eq!(line.level, level);
                assert_eq!(line.get("grpc_status"), Some(code));
                assert_eq!(line.get("status"), None);
            }
        }
    }

    /// The code that the client was given, which the HTTP status does not tell.
    #[tokio::test]
    async fn the_code_is_that_of_the_answer() {
        let not_found = service_fn(async |_: Request<Incoming>| {
            let mut response = Response::new(Full::<Bytes>::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok::<_, BoxError>(response)
        });
        let mut servers = vec![(
            Server::start(custom().layer(not_found)).await,
            "UNIMPLEMENTED",
        )];
        if cfg!(feature = "tonic") {
            let data_loss = service_fn(async |_: Request<Incoming>| {
                Err::<Response<Full<Bytes>>, BoxError>(tonic::Status::data_loss("gone").into())
            });
            let plain = ExceptionLayer::new().layer(data_loss);
            servers.push((Server::start(plain).await, "DATA_LOSS"));
            let custom = custom().layer(data_loss);
            servers.push((Server::start(custom).await, "DATA_LOSS"));
        }
        for (server, code) in servers {
            let log = Log::start();
            let mut request = support::request(Method::POST, "/");
            let grpc = HeaderValue::from_static("application/grpc");
            request.headers_mut().insert(CONTENT_TYPE, grpc);
            server.send(request).await;
            assert_eq!(log.line().get("grpc_status"), Some(code));
        }
    }

    #[tokio::test]
    async fn the_query_is_not_logged() {
        let line = line_of("/raised?token=swordfish", custom()).await;
        assert_eq!(line.get("path"), Some("/raised"));
        assert!(!format!("{line:?}").contains("swordfish"));
    }

    #[tokio::test]
    async fn the_values_of_headers_are_not_logged() {
        let log = Log::start();
        let layer = custom().capture_headers();
        let service = service_fn(async |_: Request<Incoming>| {
            Err::<Response<Full<Bytes>>, BoxError>(
                missing()
                    .with_header(RETRY_AFTER, HeaderValue::from_static("swordfish"))
                    // Left out, with a line of its own.
                    .try_with_header("connection", "swordfish")?
                    .into(),
            )
        });
        let server = Server::start(layer.layer(service)).await;
        let mut request = support::request(http::Method::GET, "/");
        let secret = HeaderValue::from_static("swordfish");
        request.headers_mut().insert("authorization", secret);
        server.send(request).await;
        let lines = log.lines();
        assert_eq!(lines.len(), 2, "{lines:#?}");
        assert!(!format!("{lines:?}").contains("swordfish"), "{lines:#?}");
    }

    #[tokio::test]
    async fn a_handler_that_fails_is_an_event_of_its_own() {
        let log = Log::start();
        let layer = custom().on_any(|_: Caught| -> StatusCode { panic!("handler") });
        let server = Server::start(layer.layer(failing())).await;
        server.get("/returned").await;
        let lines = log.lines();
        let lines: Vec<_> = lines
            .iter()
            .map(|line| (line.level, line.get("place"), line.get("error")))
            .collect();
        let handler = (Level::ERROR, Some("Answer"), Some("panicked: handler"));
        let error = (Level::ERROR, Some("Future"), Some("404: Item not found"));
        assert_eq!(lines, [handler, error]);
    }

    #[tokio::test]
    async fn a_body_that_is_cut_short_is_an_error() {
        let log = Log::start();
        let service = service_fn(async |_: Request<Incoming>| {
            let body = support::first_then(|| missing().raise());
            Ok::<_, BoxError>(Response::new(body))
        });
        let server = Server::start(custom().layer(service)).await;
        assert!(server.get("/").await.cut_short);
        let line = log.line();
        assert_eq!(line.level, Level::ERROR);
        assert_eq!(line.get("message"), Some("a response body was cut short"));
        assert_eq!(line.get("status"), None);
        assert_eq!(line.get("place"), Some("Body"));
        assert_eq!(line.get("error"), Some("404: Item not found"));
    }

    #[tokio::test]
    async fn an_error_that_cannot_be_printed_disturbs_nothing() {
        #[derive(Debug)]
        struct Unprintable;
        impl fmt::Display for Unprintable {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("no")
            }
        }
        impl std::error::Error for Unprintable {}
        Log::start();
        let service = service_fn(async |_: Request<Incoming>| {
            Err::<Response<Full<Bytes>>, BoxError>(Unprintable.into())
        });
        let server = Server::start(custom().layer(service)).await;
        server.get("/").await.assert_default_500();
    }

    #[test]
    fn a_handler_that_takes_anothers_place_is_warned_of() {
        let log = Log::start();
        let once = ExceptionLayer::new()
            .on(|_: Caught<Inner>| StatusCode::GONE)
            .on(|_: Caught<Outer>| StatusCode::GONE)
            .on_status(StatusCode::GONE, |_: Caught<HttpException>| {
                StatusCode::GONE
            })
            .on_any(|_: Caught| StatusCode::GONE);
        assert!(log.lines().is_empty(), "{:#?}", log.lines());
        let _twice = once
            .on(|_: Caught<Inner>| StatusCode::CONFLICT)
            .on_status(StatusCode::GONE, |_: Caught<HttpException>| {
                StatusCode::CONFLICT
            })
            .on_any(|_: Caught| StatusCode::CONFLICT);
        let lines = log.lines();
        assert!(lines.iter().all(|line| line.level == Level::WARN));
        let keys: Vec<_> = lines.iter().map(|line| line.get("key").unwrap()).collect();
        assert_eq!(keys, ["observe::support::Inner", "410 Gone", "any error"]);
    }
}
