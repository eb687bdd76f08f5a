//! Handlers and observers: the same ones for gRPC, gRPC-Web and JSON.

use std::{
    mem,
    sync::{Arc, Mutex},
};

use axum::{Json, Router, routing::post};
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, Method, StatusCode, Version};
use serde_json::json;
use tonic::{Code, Status, service::Routes};
use tonic_web::GrpcWebLayer;
use tower::{ServiceBuilder, layer::layer_fn};
use tower_exception::{
    Answer, Caught, Custom, ExceptionLayer, GrpcCode, How, HttpException, Panic, Place,
};

use crate::{
    calls::{Kind, assert_lives, call},
    client::{self, Client},
    common::{Protocol, SECRET_TEXT, SecretError, Server, within},
    faults::{self, Fault, Position, Way},
    generated::items_server::ItemsServer,
    server::{Shop, item},
};

/// REST and gRPC, each under `layer`.
pub async fn serve(layer: ExceptionLayer<Custom>) -> Server {
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
async fn an_exception_for_a_reply() {
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
        assert_lives(&mut client).await;
    }
    for path in ["/returned", "/raised"] {
        let expected = r#"403 | content-length: 24 | content-type: application/json | x-handler: handler | {"detail":"not for you"}"#;
        assert_eq!(json(&server, path).await, expected);
    }
}

/// The head is out, and the status is not.
#[tokio::test]
async fn in_the_middle_of_a_stream() {
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

/// What an inner layer has answered by default is answered anew.
#[tokio::test]
async fn of_a_layer_further_out() {
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
async fn a_json_response_for_a_reply() {
    async fn panicked(_: Caught<Panic>) -> (StatusCode, Json<serde_json::Value>) {
        let body = json!({ "message": "back soon" });
        (StatusCode::SERVICE_UNAVAILABLE, Json(body))
    }
    let server = serve(ExceptionLayer::new().on_panic(panicked)).await;
    for mut client in clients(&server) {
        let status = status(&mut client, Way::Panicked).await;
        let got = (status.code(), status.message());
        assert_eq!(got, (Code::Unavailable, r#"{"message":"back soon"}"#));
        assert_lives(&mut client).await;
    }
    let expected =
        r#"503 | content-length: 23 | content-type: application/json | {"message":"back soon"}"#;
    assert_eq!(json(&server, "/panicked").await, expected);
}

#[tokio::test]
async fn by_type_and_for_all_the_rest() {
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
async fn a_handler_that_panics() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<HttpException>| -> HttpException { panic!("{}", SECRET_TEXT) });
    let server = serve(layer).await;
    for mut client in clients(&server) {
        for way in EXCEPTIONS {
            let status = status(&mut client, way).await;
            let got = (status.code(), status.message());
            assert_eq!(got, (Code::Internal, "Internal Server Error"), "{way:?}");
        }
        assert_lives(&mut client).await;
    }
}

#[tokio::test]
async fn observers_are_told_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let layer = ExceptionLayer::new().observe(move |caught: &Caught, answer| {
        assert!(caught.to_string().contains("Item not found"), "{caught}");
        let told = (caught.how(), caught.place(), answer);
        tell.lock().unwrap().push(told);
    });
    let server = serve(layer).await;
    let grpc = Answer::Grpc(GrpcCode::NotFound);
    for mut client in clients(&server) {
        for (way, how) in [
            (Way::Returned, How::Attached),
            (Way::Raised, How::Raised),
            (Way::RaisedAsync, How::RaisedAsync),
        ] {
            status(&mut client, way).await;
            let told = mem::take(&mut *told.lock().unwrap());
            assert_eq!(told, [(how, Place::Future, grpc)], "{way:?}");
        }
        for (way, how) in [
            (Way::Raised, How::Raised),
            (Way::RaisedAsync, How::RaisedAsync),
        ] {
            let position = Position::Between;
            let fault = Fault { way, position };
            within(call(&mut client, Kind::ServerStreaming, fault)).await;
            let told = mem::take(&mut *told.lock().unwrap());
            assert_eq!(told, [(how, Place::Body, grpc)], "{way:?}");
        }
    }
    json(&server, "/raised").await;
    let told = mem::take(&mut *told.lock().unwrap());
    let answer = Answer::Status(StatusCode::NOT_FOUND);
    assert_eq!(told, [(How::Raised, Place::Future, answer)]);
}
