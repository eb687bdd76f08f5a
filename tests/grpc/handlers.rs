//! Handlers and observers, which are the same for gRPC, gRPC-Web and JSON.

use axum::{Json, Router, routing::post};
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, Method, StatusCode, Version};
use serde_json::json;
use tonic::{Code, Status, service::Routes};
use tonic_web::GrpcWebLayer;
use tower::{ServiceBuilder, layer::layer_fn};
use tower_exception::{
    Caught, ExceptionLayer, GrpcCode, HttpException, Mechanism, Outcome, Panic, Phase,
    config::Configured,
};

use crate::{
    calls::{Kind, assert_connected, call},
    client::{self, Client},
    faults::{self, Fault, Position, Way},
    generated::items_server::ItemsServer,
    server::{Shop, item},
    support::{Protocol, Report, SECRET_TEXT, SecretError, Server, observed, within},
};

/// Serves REST and gRPC, each under `layer`.
pub async fn serve(layer: ExceptionLayer<Configured>) -> Server {
    let grpc = Routes::new(ItemsServer::new(Shop::default()))
        .prepare()
        .into_axum_router()
        .layer(
            ServiceBuilder::new()
                .layer(layer.clone())
                .layer(GrpcWebLayer::new())
                .layer(layer_fn(faults::layer)),
        );
    let rest = |way: Way| {
        post(move || async move {
            let caught = way.in_tower().map(Result::unwrap_err).await;
            Err::<Json<()>, _>(*caught.downcast::<HttpException>().unwrap())
        })
    };
    let rest = Router::new()
        .route("/returned", rest(Way::Returned))
        .route("/raised", rest(Way::Raised))
        .route("/panicked", rest(Way::Panicked));
    Server::start_axum(rest.layer(layer).merge(grpc)).await
}

pub fn clients(server: &Server) -> [Client; 3] {
    [
        client::grpc(server.address()),
        client::grpc_web(server.address(), Version::HTTP_11),
        client::grpc_web(server.address(), Version::HTTP_2),
    ]
}

pub async fn status(client: &mut Client, way: Way) -> Status {
    let position = Position::Between;
    let (_, status) = within(call(client, Kind::Unary, Fault { way, position })).await;
    status
}

async fn json(server: &Server, path: &str) -> String {
    let mut client = server.connect(Protocol::Http1).await;
    client.ask(Method::POST, path).await
}

const EXCEPTIONS: [Way; 3] = [Way::Returned, Way::Raised, Way::RaisedAsync];

#[tokio::test]
async fn a_reply_may_be_an_exception() {
    let server = serve(ExceptionLayer::new().on_status(
        StatusCode::NOT_FOUND,
        |_: Caught<HttpException>| {
            HttpException::forbidden("not for you").with_header(
                HeaderName::from_static("x-handler"),
                HeaderValue::from_static("handler"),
            )
        },
    ))
    .await;
    for mut client in clients(&server) {
        for way in EXCEPTIONS {
            let status = status(&mut client, way).await;
            let got = (status.code(), status.message());
            assert_eq!(got, (Code::PermissionDenied, "not for you"), "{way:?}");
            assert_eq!(status.metadata().get("x-handler").unwrap(), "handler");
            assert!(status.metadata().get("x-own").is_none(), "{way:?}");
        }
        assert_connected(&mut client).await;
    }
    for path in ["/returned", "/raised"] {
        let expected = r#"403 | content-length: 24 | content-type: application/json | x-handler: handler | {"detail":"not for you"}"#;
        assert_eq!(json(&server, path).await, expected);
    }
}

/// The server has sent the head, but not the status.
#[tokio::test]
async fn handlers_apply_in_the_middle_of_a_stream() {
    async fn gone(exception: Caught<HttpException>) -> HttpException {
        tokio::task::yield_now().await;
        HttpException::forbidden(format!("not {}", exception.status()))
    }
    let server = serve(ExceptionLayer::new().on(gone)).await;
    for mut client in clients(&server) {
        for way in [Way::Raised, Way::RaisedAsync] {
            let position = Position::Between;
            let fault = Fault { way, position };
            let (items, status) = within(call(&mut client, Kind::ServerStreaming, fault)).await;
            assert_eq!(items, [item(1)], "{way:?}");
            let got = (status.code(), status.message());
            assert_eq!(
                got,
                (Code::PermissionDenied, "not 404 Not Found"),
                "{way:?}"
            );
        }
    }
}

/// The default rendering of an inner layer is provisional.
#[tokio::test]
async fn handlers_of_an_outer_layer_apply() {
    let teapot = |_: Caught<HttpException>| HttpException::new(StatusCode::IM_A_TEAPOT);
    let web = GrpcWebLayer::new();
    let inner = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .layer(layer_fn(faults::layer))
        .service(ItemsServer::new(Shop::default()));
    let outer = ServiceBuilder::new().layer(ExceptionLayer::new().on(teapot));
    let servers = [
        Server::start(outer.clone().layer(web.clone()).service(inner.clone())).await,
        Server::start(ServiceBuilder::new().layer(web).layer(outer).service(inner)).await,
    ];
    for server in servers {
        for mut client in clients(&server) {
            for way in EXCEPTIONS {
                let status = status(&mut client, way).await;
                assert_eq!(status.code(), Code::FailedPrecondition, "{way:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_reply_may_be_a_json_response() {
    async fn panicked(_: Caught<Panic>) -> (StatusCode, Json<serde_json::Value>) {
        let body = json!({ "message": "back soon" });
        (StatusCode::SERVICE_UNAVAILABLE, Json(body))
    }
    let server = serve(ExceptionLayer::new().on_panic(panicked)).await;
    for mut client in clients(&server) {
        let status = status(&mut client, Way::Panicked).await;
        let got = (status.code(), status.message());
        assert_eq!(got, (Code::Unavailable, r#"{"message":"back soon"}"#));
        assert_connected(&mut client).await;
    }
    let expected =
        r#"503 | content-length: 23 | content-type: application/json | {"message":"back soon"}"#;
    assert_eq!(json(&server, "/panicked").await, expected);
}

#[tokio::test]
async fn handlers_apply_by_type_and_to_the_rest() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<SecretError>| HttpException::bad_gateway("try another"))
        .on_any(|_: Caught| StatusCode::NOT_IMPLEMENTED);
    let server = serve(layer).await;
    for mut client in clients(&server) {
        for (way, code, message) in [
            (Way::Error, Code::Unavailable, "try another"),
            (Way::Returned, Code::Unimplemented, "Not Implemented"),
            (Way::Raised, Code::Unimplemented, "Not Implemented"),
            (Way::Panicked, Code::Unimplemented, "Not Implemented"),
        ] {
            let status = status(&mut client, way).await;
            assert_eq!(
                (status.code(), status.message()),
                (code, message),
                "{way:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_handler_that_panics_is_internal() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<HttpException>| -> HttpException { panic!("{}", SECRET_TEXT) });
    let server = serve(layer).await;
    for mut client in clients(&server) {
        for way in EXCEPTIONS {
            let status = status(&mut client, way).await;
            let got = (status.code(), status.message());
            assert_eq!(got, (Code::Internal, "Internal Server Error"), "{way:?}");
        }
        assert_connected(&mut client).await;
    }
}

#[tokio::test]
async fn a_failure_is_reported_once() {
    let (layer, mut reports) = observed(ExceptionLayer::new());
    let mut take_reports = || -> Vec<_> {
        let reports = reports.take().into_iter();
        let fields = |report: Report| {
            assert!(report.failure.contains("Item not found"), "{report}");
            (report.mechanism, report.phase, report.outcome)
        };
        reports.map(fields).collect()
    };
    let server = serve(layer).await;
    let grpc = Outcome::Grpc(GrpcCode::NotFound);
    for mut client in clients(&server) {
        for (way, mechanism) in [
            (Way::Returned, Mechanism::Attached),
            (Way::Raised, Mechanism::Raised),
            (Way::RaisedAsync, Mechanism::RaisedAsync),
        ] {
            status(&mut client, way).await;
            let expected = [(mechanism, Phase::Future, grpc)];
            assert_eq!(take_reports(), expected, "{way:?}");
        }
        for (way, mechanism) in [
            (Way::Raised, Mechanism::Raised),
            (Way::RaisedAsync, Mechanism::RaisedAsync),
        ] {
            let position = Position::Between;
            let fault = Fault { way, position };
            within(call(&mut client, Kind::ServerStreaming, fault)).await;
            let expected = [(mechanism, Phase::Body, grpc)];
            assert_eq!(take_reports(), expected, "{way:?}");
        }
    }
    json(&server, "/raised").await;
    let json = Outcome::Status(StatusCode::NOT_FOUND);
    let expected = [(Mechanism::Raised, Phase::Future, json)];
    assert_eq!(take_reports(), expected);
}
