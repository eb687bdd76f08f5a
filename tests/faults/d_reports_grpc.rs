//! Section D: a status at the end of a gRPC stream is reported once, with its code.

use std::convert::Infallible;

use futures_util::{Stream, stream};
use http::{Request, Response};
use hyper::body::Incoming;
use tonic::{Status, body::Body};
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceBuilder, service_fn};
use tower_exception::ExceptionLayer;

use crate::{
    grpc::{self, call_stream},
    support::{Protocol, Server, log::Log, observed, request},
};

/// Two messages, then the service's own status.
fn stock() -> impl Stream<Item = Result<String, Status>> + Send + 'static {
    stream::iter([
        Ok("one".to_owned()),
        Ok("two".to_owned()),
        Err(Status::data_loss("the third one is gone")),
    ])
}

async fn list(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    Ok(grpc::stream(request, stock()).await)
}

// D6
#[tokio::test]
async fn an_err_in_a_tonic_stream_is_reported_once_with_its_code() {
    let log = Log::start();
    let (outer, mut outer_reports) = observed(ExceptionLayer::new());
    let (inner, mut inner_reports) = observed(ExceptionLayer::new());
    let layers = ServiceBuilder::new().layer(outer).layer(inner);
    let server = Server::start(layers.service_fn(list)).await;
    let (messages, status) = call_stream(server.address()).await;
    assert_eq!(messages, ["one", "two"]);
    assert_eq!(status.unwrap().message(), "the third one is gone");
    let expected = "Attached Body Grpc(DataLoss): 500: the third one is gone";
    assert_eq!(inner_reports.take(), [expected]);
    outer_reports.assert_none();
    let event = log.only_event();
    assert_eq!(event.get("rpc.response.status_code"), Some("DATA_LOSS"));
    assert_eq!(event.get("tower_exception.location"), None);
}

// D6
#[tokio::test]
async fn an_unconfigured_layer_logs_an_err_in_a_tonic_stream_once() {
    let log = Log::start();
    let layers = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .layer(ExceptionLayer::new());
    let server = Server::start(layers.service_fn(list)).await;
    call_stream(server.address()).await;
    assert_eq!(
        log.only_event().get("rpc.response.status_code"),
        Some("DATA_LOSS")
    );
}

// D6
#[tokio::test]
async fn an_err_in_a_grpc_web_stream_is_reported_once_with_its_code() {
    for content_type in [
        "application/grpc-web+proto",
        "application/grpc-web-text+proto",
    ] {
        let (layer, mut reports) = observed(ExceptionLayer::new());
        let web = GrpcWebLayer::new().layer(service_fn(|request: Request<Body>| async move {
            Ok::<_, Infallible>(grpc::stream(request, stock()).await)
        }));
        let server = Server::start(layer.layer(web)).await;
        let mut client = server.connect(Protocol::Http1).await;
        let mut post = request(http::Method::POST, "/shop.Shop/List");
        for (name, value) in [("content-type", content_type), ("accept", content_type)] {
            post.headers_mut().insert(name, value.parse().unwrap());
        }
        let body: &[u8] = match content_type.contains("text") {
            true => b"AAAAAAA=",
            false => b"\0\0\0\0\0",
        };
        *post.body_mut() = http_body_util::Full::from(body);
        client.exchange(post).await.unwrap();
        let expected = "Attached Body Grpc(DataLoss): 500: the third one is gone";
        assert_eq!(reports.take(), [expected], "{content_type}");
    }
}
