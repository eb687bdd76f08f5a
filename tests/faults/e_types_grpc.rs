//! gRPC: routes that are none, and the exceptions of tonic's handlers.

use std::convert::Infallible;

use axum::{Router, routing::post};
use http::{HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE};
use hyper::body::Incoming;
use tonic::{Code, Status};
use tower::{BoxError, Layer as _, service_fn};
use tower_exception::{Caught, ExceptionLayer, HttpException};
use tracing::Level;

use crate::{
    grpc::{call, unary},
    support::{PROTOCOLS, Server, log::Log, observed, request, within},
};

fn grpc_post(path: &str) -> Request<http_body_util::Full<bytes::Bytes>> {
    let mut request = request(Method::POST, path);
    let value = HeaderValue::from_static("application/grpc");
    request.headers_mut().insert(CONTENT_TYPE, value);
    request
}

// E10
#[tokio::test]
async fn a_rest_route_without_grpc_answers_a_grpc_request_with_its_own_status() {
    let denied = || HttpException::unauthorized("who are you?");
    let router = Router::new()
        .route(
            "/returned",
            post(move || async move { Err::<(), _>(denied()) }),
        )
        .route(
            "/raised",
            post(move || async move { denied().raise_async::<()>().await }),
        )
        .route("/panicked", post(async || -> () { panic!("no") }));
    let plain = router.clone().layer(ExceptionLayer::new());
    let plain = Server::start_axum(plain).await;
    let (layer, mut reports) = observed(ExceptionLayer::new().adopt_error_responses());
    let without = Server::start_axum(router.layer(layer.without_grpc())).await;
    for protocol in PROTOCOLS {
        for (path, status) in [
            ("/returned", 401),
            ("/raised", 401),
            ("/panicked", 500),
            ("/no", 404),
        ] {
            let mut client = without.connect(protocol).await;
            let received = client.exchange(grpc_post(path)).await.unwrap();
            assert_eq!(received.status, status, "{path}");
            assert!(received.header("grpc-status").is_none());
            assert_eq!(received.header("content-type"), Some("application/json"));
            let report = reports.next().await.to_string();
            assert!(report.contains(&format!("Status({status})")), "{report}");
        }
        let mut client = plain.connect(protocol).await;
        let received = client.exchange(grpc_post("/returned")).await.unwrap();
        assert_eq!(received.status, StatusCode::OK);
        assert_eq!(received.header("grpc-status"), Some("16"));
    }
    assert_eq!(without.head("/returned").await.status, 405);
}

type Fail = fn() -> Result<Status, BoxError>;

// E17
#[tokio::test]
async fn the_exception_of_a_tonic_handler_is_reported_as_if_it_was_raised() {
    // tonic's own response; an error of a tower service; an exception that was raised.
    let fails: [Fail; 3] = [
        || Ok(HttpException::not_found("no such order").into()),
        || Err(Status::from(HttpException::not_found("no such order")).into()),
        || HttpException::not_found("no such order").raise(),
    ];
    let mut events = Vec::new();
    for fail in fails {
        let service = service_fn(move |request: Request<Incoming>| async move {
            let status = fail()?;
            Ok::<_, BoxError>(unary(request, async move { Err(status) }).await)
        });
        let (layer, mut reports) = observed(ExceptionLayer::new());
        let log = Log::start();
        let server = Server::start(layer.layer(service)).await;
        let status = within(call(server.address())).await.unwrap_err();
        let received = (status.code(), status.message());
        assert_eq!(received, (Code::NotFound, "no such order"));
        let report = reports.next().await;
        assert_eq!(report.failure, "404: no such order");
        let event = log.only_event();
        assert_eq!(event.level, Level::DEBUG);
        assert!(
            event
                .get("tower_exception.location")
                .unwrap()
                .contains("e_types_grpc.rs")
        );
        let fields = [
            "tower_exception.kind",
            "exception.message",
            "rpc.response.status_code",
        ]
        .map(|name| event.get(name).map(str::to_owned));
        events.push(fields);
    }
    for event in events {
        let expected = ["http_exception", "404: no such order", "NOT_FOUND"];
        assert_eq!(event, expected.map(|text| Some(text.to_owned())));
    }
}

// E17
#[tokio::test]
async fn handlers_for_the_exception_of_a_tonic_handler_see_the_exception() {
    let service = service_fn(move |request: Request<Incoming>| async move {
        let handler = async { Err(HttpException::not_found("no such order"))? };
        Ok::<_, Infallible>(unary(request, handler).await)
    });
    let layer = ExceptionLayer::new()
        .on(|_: Caught<Status>| HttpException::forbidden("not this one"))
        .on(|exception: Caught<HttpException>| {
            exception
                .clone()
                .with_detail(format!("{}, sorry", exception.detail_or_reason()))
        });
    let server = Server::start(layer.layer(service)).await;
    let status = within(call(server.address())).await.unwrap_err();
    let received = (status.code(), status.message());
    assert_eq!(received, (Code::NotFound, "no such order, sorry"));
}
