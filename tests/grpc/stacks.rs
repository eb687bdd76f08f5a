//! The layer in stacks with the layers of tonic, tower and axum.

use std::{
    future::Ready,
    net::SocketAddr,
    task::{Context, Poll},
};

use axum::{Json, Router, routing::post};
use http::{Method, Version};
use hyper::body::Incoming;
use tonic::{
    Code, Request, Status,
    body::Body,
    service::Routes,
    transport::{self, server::TcpIncoming},
};
use tonic_web::GrpcWebLayer;
use tower::{BoxError, Service, ServiceBuilder, layer::layer_fn};
use tower_exception::ExceptionLayer;

use crate::{
    calls::{Kind, assert_connected, assert_status, call},
    client::{self, Client},
    faults::{self, Fault, Position, Way, exception},
    generated::{ItemId, items_server::ItemsServer},
    server::Shop,
    support::{self, PROTOCOLS, Server, within},
};

const WAYS: [Way; 6] = [
    Way::Returned,
    Way::Raised,
    Way::RaisedAsync,
    Way::Panicked,
    Way::Structured,
    Way::Error,
];

/// Checks a unary call and a stream with each of these faults.
async fn check(mut client: Client, ways: &[Way]) {
    for kind in [Kind::Unary, Kind::ServerStreaming] {
        for &way in ways {
            let position = Position::Between;
            let (_, status) = within(call(&mut client, kind, Fault { way, position })).await;
            assert_status(&status, way);
        }
    }
    assert_connected(&mut client).await;
}

async fn check_all(address: SocketAddr, ways: &[Way]) {
    check(client::grpc(address), ways).await;
    check(client::grpc_web(address, Version::HTTP_11), ways).await;
    check(client::grpc_web(address, Version::HTTP_2), ways).await;
}

macro_rules! tonic_server {
    ($builder:expr) => {{
        support::panic_hook_runs();
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap())
            .unwrap()
            .with_nodelay(Some(true));
        let address = incoming.local_addr().unwrap();
        let server = $builder.add_service(ItemsServer::new(Shop::default()));
        tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
        address
    }};
}

#[tokio::test]
async fn the_layer_works_in_tonics_server_outside_of_grpc_web() {
    let mut builder = transport::Server::builder()
        .accept_http1(true)
        .layer(ExceptionLayer::new())
        .layer(GrpcWebLayer::new())
        .layer(layer_fn(faults::layer));
    check_all(tonic_server!(builder), &WAYS).await;
}

#[tokio::test]
async fn the_layer_works_in_tonics_server_inside_of_grpc_web() {
    let mut builder = transport::Server::builder()
        .accept_http1(true)
        .layer(GrpcWebLayer::new())
        .layer(ExceptionLayer::new())
        .layer(layer_fn(faults::layer));
    check_all(tonic_server!(builder), &WAYS).await;
}

/// One layer is outside of `GrpcWebLayer`, and one inside.
#[tokio::test]
async fn the_layer_works_in_tonics_server_twice() {
    let mut builder = transport::Server::builder()
        .accept_http1(true)
        .layer(ExceptionLayer::new())
        .layer(GrpcWebLayer::new())
        .layer(ExceptionLayer::new())
        .layer(layer_fn(faults::layer));
    check_all(tonic_server!(builder), &WAYS).await;
}

/// REST and gRPC in one router, under one layer. A service in axum returns no error.
#[tokio::test]
async fn the_layer_works_in_axum_with_rest_routes() {
    let ways: Vec<_> = WAYS.into_iter().filter(|way| *way != Way::Error).collect();
    let grpc = Routes::new(ItemsServer::new(Shop::default()))
        .prepare()
        .into_axum_router()
        .layer(GrpcWebLayer::new());
    let item = || async { Err::<Json<()>, _>(exception()) };
    let raised = || async { exception().raise_async::<Json<()>>().await };
    let rest = Router::new()
        .route("/returned", post(item))
        .route("/raised", post(raised));
    let server = Server::start_axum(rest.merge(grpc).layer(ExceptionLayer::new())).await;

    check_all(server.address(), &ways).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for path in ["/returned", "/raised"] {
            let json = r#"404 | content-length: 27 | content-type: application/json | x-own: own | {"detail":"Item not found"}"#;
            assert_eq!(client.ask(Method::POST, path).await, json);
        }
    }
}

#[tokio::test]
async fn axums_404_is_unimplemented() {
    let rest = Router::new().route("/", post(async || ()));
    let layer = ExceptionLayer::new().adopt_error_responses();
    let server = Server::start_axum(rest.layer(layer)).await;
    for mut client in [
        client::grpc(server.address()),
        client::grpc_web(server.address(), Version::HTTP_11),
    ] {
        let status = within(client.get(ItemId::default())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    }
}

#[tokio::test]
async fn exceptions_in_an_interceptor_are_caught() {
    type Interceptor = fn(Request<()>) -> Result<Request<()>, Status>;
    let interceptors: [Interceptor; 2] = [|_| Err(exception())?, |_| exception().raise()];
    for interceptor in interceptors {
        let service = ItemsServer::with_interceptor(Shop::default(), interceptor);
        let service = ServiceBuilder::new()
            .layer(ExceptionLayer::new())
            .layer(GrpcWebLayer::new())
            .service(service);
        let server = Server::start(service).await;
        for mut client in [
            client::grpc(server.address()),
            client::grpc_web(server.address(), Version::HTTP_2),
        ] {
            let status = within(client.get(ItemId::default())).await.unwrap_err();
            assert_status(&status, Way::Raised);
        }
    }
}

/// A service that fails before it returns a future.
#[derive(Clone)]
enum FailsEarly {
    InPollReady,
    InCall,
}

impl Service<http::Request<Incoming>> for FailsEarly {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::InPollReady => Poll::Ready(Err(exception().into())),
            Self::InCall => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: http::Request<Incoming>) -> Self::Future {
        exception().raise()
    }
}

#[tokio::test]
async fn exceptions_in_poll_ready_and_call_are_caught() {
    for service in [FailsEarly::InPollReady, FailsEarly::InCall] {
        let stack = ServiceBuilder::new().layer(ExceptionLayer::new());
        let server = Server::start(stack.service(service)).await;
        let mut client = client::grpc(server.address());
        for _ in 0..2 {
            let status = within(client.get(ItemId::default())).await.unwrap_err();
            assert_status(&status, Way::Raised);
        }
    }
}
