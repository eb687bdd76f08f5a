//! tower-http's `TraceLayer` outside of the layer: the class of a failure in its line of the log.

use std::{
    fmt, io,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use tower::{BoxError, Layer, ServiceBuilder, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Outcome, Raise,
    config::LayerConfig,
    telemetry::{FailureClass, FailureClassifier},
};
use tower_http::trace::TraceLayer;
use tracing_subscriber::{fmt::MakeWriter, util::SubscriberInitExt as _};

use crate::support::{Protocol, Received, Server, first_then, request};

#[derive(Debug)]
struct DatabaseError;

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hunter2")
    }
}

impl std::error::Error for DatabaseError {}

type Body = UnsyncBoxBody<Bytes, BoxError>;

async fn fail(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    let full = |text: &'static str| {
        let body = http_body_util::Full::from(text);
        body.map_err(|never| match never {}).boxed_unsync()
    };
    let mut response = Response::new(full("fine"));
    match request.uri().path() {
        "/error" => DatabaseError.raise(),
        "/panic" => panic!("hunter2"),
        "/404" => Err(HttpException::not_found("no such item").into()),
        "/code" => {
            let exception = HttpException::service_unavailable("later");
            Err(exception.with_code("shop\nclosed").into())
        }
        "/503" => {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            Ok(response)
        }
        "/aborted" => {
            let body = first_then(|| Err(io::Error::other("disk gone").into()));
            Ok(Response::new(body.boxed_unsync()))
        }
        "/trailers" => {
            let status = HeaderValue::from_static("13");
            let trailers = http::HeaderMap::from_iter([("grpc-status".parse()?, status)]);
            let frames = [
                Ok(Frame::data(Bytes::from("message"))),
                Ok(Frame::trailers(trailers)),
            ];
            let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
            let mut response = Response::new(body.boxed_unsync());
            let content_type = HeaderValue::from_static("application/grpc");
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            Ok(response)
        }
        _ => Ok(response),
    }
}

/// A log in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Sends a request, and returns the classifications that `TraceLayer` has logged.
async fn classified(
    layer: ExceptionLayer<impl LayerConfig>,
    request: Request<http_body_util::Full<Bytes>>,
) -> Vec<String> {
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new(FailureClassifier::new()))
        .layer(layer)
        .service_fn(fail);
    let server = Server::start(service).await;
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(lines.clone());
    let only_this_thread = subscriber.set_default();
    let mut client = server.connect(Protocol::Http2).await;
    let response = client.send(request).await.unwrap();
    Received::read(response).await;
    drop(only_this_thread);
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let failed = log.lines().filter(|line| line.contains("response failed"));
    failed
        .map(|line| {
            let (_, rest) = line.split_once("classification=").unwrap();
            let (classification, _) = rest.split_once(" latency=").unwrap();
            classification.to_owned()
        })
        .collect()
}

fn declining() -> ExceptionLayer<tower_exception::config::Configured> {
    ExceptionLayer::new().on(|_: Caught<DatabaseError>| {})
}

#[tokio::test]
async fn the_line_of_a_failure_has_its_type() {
    let database = "telemetry::trace_layer::DatabaseError (500 Internal Server Error)";
    for (path, expected) in [
        ("/error", Some(database)),
        ("/panic", Some("panic (500 Internal Server Error)")),
        ("/code", Some(r"shop\nclosed (503 Service Unavailable)")),
        ("/503", Some("503 Service Unavailable")),
        ("/aborted", Some("disk gone (the response was cut short)")),
        ("/404", None),
        ("/fine", None),
    ] {
        let expected = Vec::from_iter(expected.map(str::to_owned));
        let request = || request(Method::GET, path);
        assert_eq!(
            classified(ExceptionLayer::new(), request()).await,
            expected,
            "{path}"
        );
        assert_eq!(classified(declining(), request()).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_handlers_reply_is_classified_as_the_failure_that_it_answers() {
    let handled = |status| {
        let layer =
            ExceptionLayer::new().on_any(move |_: Caught| StatusCode::from_u16(status).unwrap());
        classified(layer, request(Method::GET, "/error"))
    };
    assert_eq!(handled(409).await, [""; 0]);
    let expected = "telemetry::trace_layer::DatabaseError (502 Bad Gateway)";
    assert_eq!(handled(502).await, [expected]);
}

#[tokio::test]
async fn a_handler_that_panics_leaves_the_type_of_the_failure() {
    let layer = ExceptionLayer::new().on_any(|_: Caught| -> StatusCode { panic!("no") });
    let expected = "telemetry::trace_layer::DatabaseError (500 Internal Server Error)";
    assert_eq!(
        classified(layer, request(Method::GET, "/error")).await,
        [expected]
    );
}

#[tokio::test]
async fn a_grpc_failure_is_classified_by_its_code() {
    for (path, expected) in [
        (
            "/error",
            Some("telemetry::trace_layer::DatabaseError (INTERNAL)"),
        ),
        ("/404", None),
        ("/trailers", Some("INTERNAL")),
    ] {
        let mut request = request(Method::POST, path);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        let expected = Vec::from_iter(expected.map(str::to_owned));
        assert_eq!(
            classified(ExceptionLayer::new(), request).await,
            expected,
            "{path}"
        );
    }
}

#[tokio::test]
async fn user_code_reads_the_class() {
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let trace = TraceLayer::new(FailureClassifier::new()).on_failure(
        move |class: FailureClass, _: std::time::Duration, _: &tracing::Span| {
            sender
                .send((class.error_type().map(str::to_owned), class.outcome()))
                .unwrap();
        },
    );
    let server = Server::start(trace.layer(ExceptionLayer::new().layer(service_fn(fail)))).await;
    server.get("/panic").await;
    let outcome = Outcome::Status(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(seen.recv().await, Some((Some("panic".to_owned()), outcome)));
}
