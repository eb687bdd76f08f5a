//! Reports of caught failures: observers, and the log with the feature `tracing`.

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
    Caught, ExceptionLayer, HttpException, Mechanism, Outcome, Phase, config::Configured,
    render::Rendered,
};

use support::{BoxError, Inner, Outer, Report, Server, observed};

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

/// Returns the reports of a request for `path` to [`failing`] under `layer`.
async fn reports_of(path: &str, layer: ExceptionLayer<Configured>) -> Vec<Report> {
    let (layer, mut reports) = observed(layer);
    let server = Server::start(layer.layer(failing())).await;
    server.get(path).await;
    reports.take()
}

fn configured() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().adopt_error_responses()
}

#[tokio::test]
async fn each_failure_is_reported_once_with_its_outcome() {
    for (path, failure, mechanism, status) in [
        ("/returned", "404: Item not found", Mechanism::Returned, 404),
        ("/attached", "404: Item not found", Mechanism::Attached, 404),
        ("/raised", "404: Item not found", Mechanism::Raised, 404),
        (
            "/raised-async",
            "404: Item not found",
            Mechanism::RaisedAsync,
            404,
        ),
        (
            "/panicked-with-an-exception",
            "404: Item not found",
            Mechanism::Raised,
            404,
        ),
        ("/error", "Outer with a secret", Mechanism::Returned, 500),
        (
            "/panicked",
            "panicked: at the disco",
            Mechanism::Panicked,
            500,
        ),
        ("/adopted", "409: Conflict", Mechanism::Adopted, 409),
    ] {
        let outcome = Outcome::Status(StatusCode::from_u16(status).unwrap());
        let reports = reports_of(path, configured()).await;
        assert_eq!(
            reports,
            [Report::new(failure, mechanism, Phase::Future, outcome)],
            "{path}"
        );
    }
}

#[tokio::test]
async fn nothing_is_reported_if_nothing_was_raised() {
    assert!(reports_of("/", configured()).await.is_empty());
}

#[tokio::test]
async fn the_status_of_a_handlers_reply_is_reported() {
    for path in ["/returned", "/attached", "/error", "/panicked", "/adopted"] {
        let layer = configured().on_any(|_: Caught| StatusCode::IM_A_TEAPOT);
        let reports = reports_of(path, layer).await;
        let [report] = &reports[..] else {
            panic!("{reports:?}")
        };
        let outcome = Outcome::Status(StatusCode::IM_A_TEAPOT);
        assert_eq!(report.outcome, outcome, "{path}");
    }
}

#[tokio::test]
async fn all_observers_are_called_in_order() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let push = |name: &'static str| {
        let order = Arc::clone(&order);
        move |_: &Caught, _: Outcome| order.lock().unwrap().push(name)
    };
    let layer = ExceptionLayer::new().observe(push("1")).observe(push("2"));
    Server::start(layer.layer(failing()))
        .await
        .get("/raised")
        .await;
    assert_eq!(*order.lock().unwrap(), ["1", "2"]);
}

#[tokio::test]
async fn an_observer_that_panics_changes_nothing() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("again"));
        }
    }
    let failing_observers = ExceptionLayer::new()
        .observe(|_: &Caught, _: Outcome| panic!("observer"))
        .observe(|_: &Caught, _: Outcome| missing().raise())
        .observe(|_: &Caught, _: Outcome| std::panic::resume_unwind(Box::new(Bomb)));
    let (layer, mut reports) = observed(failing_observers);
    let server = Server::start(layer.layer(failing())).await;
    server
        .get("/raised")
        .await
        .assert_detail(404, "Item not found");
    server.get("/error").await.assert_default_500();
    assert_eq!(server.get("/").await.text(), "fine");
    assert_eq!(reports.take().len(), 2);
}

#[tokio::test]
async fn a_renderer_that_panics_is_reported_and_so_is_the_exception_to_render() {
    let layer = configured()
        .with_renderer(|_: &HttpException, _: &Caught| -> Rendered { panic!("renderer") });
    let outcome = Outcome::Status(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        reports_of("/raised", layer).await,
        [
            Report::new(
                "panicked: renderer",
                Mechanism::Panicked,
                Phase::Handling,
                outcome
            ),
            Report::new(
                "404: Item not found",
                Mechanism::Raised,
                Phase::Future,
                outcome
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
            .observe(move |caught: &Caught, _: Outcome| {
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
async fn no_secret_reaches_the_client() {
    let server = Server::start(configured().layer(failing())).await;
    for path in ["/error", "/panicked"] {
        let received = server.get(path).await;
        received.assert_default_500();
        let headers = format!("{:?}", received.headers);
        assert!(!headers.contains("secret") && !headers.contains("disco"));
    }
}

#[cfg(feature = "tracing")]
mod events {
    use std::fmt;

    use super::*;
    use crate::support::log::{Log, LoggedEvent};
    use http::{
        HeaderValue, Method,
        header::{CONTENT_TYPE, RETRY_AFTER},
    };
    use tracing::Level;

    async fn event_of(path: &str, layer: ExceptionLayer<Configured>) -> LoggedEvent {
        let log = Log::start();
        let server = Server::start(layer.layer(failing())).await;
        server.get(path).await;
        log.only_event()
    }

    #[tokio::test]
    async fn an_exception_is_one_event() {
        for (path, how) in [
            ("/returned", "returned"),
            ("/attached", "attached"),
            ("/raised", "raised"),
            ("/raised-async", "raised_async"),
        ] {
            let event = event_of(path, configured()).await;
            assert_eq!(event.level, Level::DEBUG);
            assert_eq!(event.get("message"), Some("responded to a failure"));
            assert_eq!(event.get("http.response.status_code"), Some("404"));
            assert_eq!(event.get("tower_exception.kind"), Some("http_exception"));
            assert_eq!(event.get("tower_exception.mechanism"), Some(how));
            assert_eq!(event.get("tower_exception.phase"), Some("future"));
            assert_eq!(event.get("http.request.method"), Some("GET"));
            assert_eq!(event.get("url.path"), Some(path));
            assert_eq!(event.get("exception.message"), Some("404: Item not found"));
            let location = event.get("tower_exception.location").unwrap();
            assert!(location.contains("observe.rs:"), "{location}");
        }
    }

    #[tokio::test]
    async fn an_error_is_an_event_with_its_chain_of_sources() {
        let event = event_of("/error", configured()).await;
        assert_eq!(event.level, Level::ERROR);
        assert_eq!(event.get("http.response.status_code"), Some("500"));
        assert_eq!(event.get("tower_exception.kind"), Some("error"));
        assert_eq!(event.get("tower_exception.mechanism"), Some("returned"));
        let chain = "Outer with a secret: Inner with a secret";
        assert_eq!(event.get("exception.message"), Some(chain));
        assert_eq!(event.get("tower_exception.location"), None);
    }

    #[tokio::test]
    async fn a_panic_is_logged_as_an_error() {
        let event = event_of("/panicked", configured()).await;
        assert_eq!(event.level, Level::ERROR);
        assert_eq!(event.get("tower_exception.kind"), Some("panic"));
        assert_eq!(event.get("tower_exception.mechanism"), Some("panicked"));
        assert_eq!(
            event.get("exception.message"),
            Some("panicked: at the disco")
        );
    }

    #[tokio::test]
    async fn a_panic_is_logged_as_an_error_whatever_the_reply() {
        let layer = configured().on_any(|_: Caught| StatusCode::IM_A_TEAPOT);
        let event = event_of("/panicked", layer).await;
        assert_eq!(event.level, Level::ERROR);
        assert_eq!(event.get("http.response.status_code"), Some("418"));
    }

    #[tokio::test]
    async fn the_level_depends_on_the_status_of_the_reply() {
        let layer = configured().on_any(|_: Caught| StatusCode::IM_A_TEAPOT);
        let event = event_of("/error", layer).await;
        assert_eq!(
            (event.level, event.get("http.response.status_code")),
            (Level::DEBUG, Some("418"))
        );
        let layer = configured().on_any(|_: Caught| StatusCode::BAD_GATEWAY);
        let event = event_of("/returned", layer).await;
        assert_eq!(
            (event.level, event.get("http.response.status_code")),
            (Level::ERROR, Some("502"))
        );
    }

    #[tokio::test]
    async fn an_adopted_exception_has_no_location() {
        let event = event_of("/adopted", configured()).await;
        assert_eq!(event.level, Level::DEBUG);
        assert_eq!(event.get("tower_exception.mechanism"), Some("adopted"));
        assert_eq!(event.get("tower_exception.location"), None);
    }

    #[tokio::test]
    async fn a_plain_layer_has_no_method_or_path() {
        let log = Log::start();
        let server = Server::start(ExceptionLayer::new().layer(failing())).await;
        server.get("/raised").await;
        let event = log.only_event();
        assert_eq!(event.get("http.response.status_code"), Some("404"));
        assert_eq!(event.get("tower_exception.kind"), Some("http_exception"));
        assert_eq!(event.get("tower_exception.mechanism"), Some("raised"));
        assert_eq!(
            (event.get("http.request.method"), event.get("url.path")),
            (None, None)
        );
    }

    /// The HTTP status is always 200, and carries no information.
    #[tokio::test]
    async fn a_grpc_status_is_logged_as_grpc_status() {
        let servers = [
            Server::start(ExceptionLayer::new().layer(failing())).await,
            Server::start(configured().layer(failing())).await,
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
                let event = log.only_event();
                assert_eq!(event.level, level);
                assert_eq!(event.get("rpc.response.status_code"), Some(code));
                assert_eq!(event.get("http.response.status_code"), None);
            }
        }
    }

    /// The HTTP status of the exception does not determine the code that the client received.
    #[tokio::test]
    async fn the_code_that_the_client_received_is_logged() {
        let not_found = service_fn(async |_: Request<Incoming>| {
            let mut response = Response::new(Full::<Bytes>::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok::<_, BoxError>(response)
        });
        let mut servers = vec![(
            Server::start(configured().layer(not_found)).await,
            "UNIMPLEMENTED",
        )];
        if cfg!(feature = "tonic") {
            let data_loss = service_fn(async |_: Request<Incoming>| {
                Err::<Response<Full<Bytes>>, BoxError>(tonic::Status::data_loss("gone").into())
            });
            let plain = ExceptionLayer::new().layer(data_loss);
            servers.push((Server::start(plain).await, "DATA_LOSS"));
            let custom = configured().layer(data_loss);
            servers.push((Server::start(custom).await, "DATA_LOSS"));
        }
        for (server, code) in servers {
            let log = Log::start();
            let mut request = support::request(Method::POST, "/");
            let grpc = HeaderValue::from_static("application/grpc");
            request.headers_mut().insert(CONTENT_TYPE, grpc);
            server.send(request).await;
            assert_eq!(log.only_event().get("rpc.response.status_code"), Some(code));
        }
    }

    #[tokio::test]
    async fn the_query_is_not_logged() {
        let event = event_of("/raised?token=swordfish", configured()).await;
        assert_eq!(event.get("url.path"), Some("/raised"));
        assert!(!format!("{event:?}").contains("swordfish"));
    }

    #[tokio::test]
    async fn the_values_of_headers_are_not_logged() {
        let log = Log::start();
        let layer = configured().capture_headers();
        let service = service_fn(async |_: Request<Incoming>| {
            Err::<Response<Full<Bytes>>, BoxError>(
                missing()
                    .with_header(RETRY_AFTER, HeaderValue::from_static("swordfish"))
                    // The layer drops this header, with an event of its own.
                    .try_with_header("connection", "swordfish")?
                    .into(),
            )
        });
        let server = Server::start(layer.layer(service)).await;
        let mut request = support::request(http::Method::GET, "/");
        let secret = HeaderValue::from_static("swordfish");
        request.headers_mut().insert("authorization", secret);
        server.send(request).await;
        let events = log.events();
        assert_eq!(events.len(), 2, "{events:#?}");
        assert!(!format!("{events:?}").contains("swordfish"), "{events:#?}");
    }

    #[tokio::test]
    async fn a_handler_that_fails_is_an_event_of_its_own() {
        let log = Log::start();
        let layer = configured().on_any(|_: Caught| -> StatusCode { panic!("handler") });
        let server = Server::start(layer.layer(failing())).await;
        server.get("/returned").await;
        let events = log.events();
        let events: Vec<_> = events
            .iter()
            .map(|event| {
                (
                    event.level,
                    event.get("tower_exception.phase"),
                    event.get("exception.message"),
                )
            })
            .collect();
        let handler = (Level::ERROR, Some("handling"), Some("panicked: handler"));
        let error = (Level::ERROR, Some("future"), Some("404: Item not found"));
        assert_eq!(events, [handler, error]);
    }

    #[tokio::test]
    async fn an_aborted_body_is_logged_as_an_error() {
        let log = Log::start();
        let service = service_fn(async |_: Request<Incoming>| {
            let body = support::first_then(|| missing().raise());
            Ok::<_, BoxError>(Response::new(body))
        });
        let server = Server::start(configured().layer(service)).await;
        assert!(server.get("/").await.aborted);
        let event = log.only_event();
        assert_eq!(event.level, Level::ERROR);
        assert_eq!(event.get("message"), Some("cut a response body short"));
        assert_eq!(event.get("http.response.status_code"), None);
        assert_eq!(event.get("tower_exception.phase"), Some("body"));
        assert_eq!(event.get("exception.message"), Some("404: Item not found"));
    }

    #[tokio::test]
    async fn an_error_whose_display_panics_changes_nothing() {
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
        let server = Server::start(configured().layer(service)).await;
        server.get("/").await.assert_default_500();
    }
}
