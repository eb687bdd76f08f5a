//! Ids of failures: the same one in the response, in the log and for user code.
//!
//! `tests/grpc/identify.rs` has them over gRPC.

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod forms;
mod responses;
mod sources;
mod websocket;

use std::io;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::Value;
use tower::{BoxError, Layer, service_fn};
use tower_exception::{
    ExceptionLayer, HttpException, Ids, Raise,
    config::{Configured, LayerConfig},
};

use crate::support::{Received, Server, request};

/// The id that clients of these tests send.
const ID: &str = "shop-7:4711";

/// The way in which the failure leaves the service, which is the path of the request.
const EXITS: [&str; 8] = [
    "/returned",
    "/unknown",
    "/attached",
    "/raised",
    "/raised-async",
    "/error",
    "/panicked",
    "/adopted",
];

async fn fail(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
    let exception = || HttpException::conflict("sold out");
    match request.uri().path() {
        "/returned" => Err(exception().into()),
        "/unknown" => Err(io::Error::other("hunter2").into()),
        "/attached" => Ok(exception().into()),
        "/raised" => exception().raise(),
        "/raised-async" => exception().raise_async().await,
        "/error" => io::Error::other("hunter2").raise(),
        "/panicked" => panic!("hunter2"),
        "/adopted" => {
            let mut response = Response::new(Full::from("no such page"));
            *response.status_mut() = http::StatusCode::NOT_FOUND;
            Ok(response)
        }
        _ => Ok(Response::new(Full::from("fine"))),
    }
}

fn layer() -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .adopt_error_responses()
        .identify(Ids::request_id().or_trace_id().or_new())
}

async fn serve(layer: ExceptionLayer<impl LayerConfig>) -> Server {
    Server::start(layer.layer(service_fn(fail))).await
}

fn get(path: &str, headers: &[(&'static str, &str)]) -> Request<Full<Bytes>> {
    let mut request = request(Method::GET, path);
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request
            .headers_mut()
            .append(HeaderName::from_static(name), value);
    }
    request
}

/// Returns the id in the header and in the JSON of a response, which is the same one.
fn id_of(received: &Received) -> String {
    let lines: Vec<_> = received.headers.get_all("x-request-id").iter().collect();
    let [id] = &lines[..] else {
        panic!("{lines:?}")
    };
    let id = id.to_str().unwrap().to_owned();
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(body["error_id"], id, "{body}");
    id
}

/// Returns whether a text is a UUID of version 7 (RFC 9562, section 5.7).
fn is_uuid_v7(text: &str) -> bool {
    let id = uuid::Uuid::parse_str(text).unwrap();
    id.get_version_num() == 7 && id.hyphenated().to_string() == text
}
