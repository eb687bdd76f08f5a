//! The status of an upstream, which must not bring its headers and its texts to a client.

use std::{convert::Infallible, error::Error, fmt, net::SocketAddr};

use axum::{Router, routing::get};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tonic::{Code, Status, metadata::MetadataMap};
use tower::{BoxError, Layer as _, service_fn};
use tower_exception::{Caught, ExceptionLayer, HttpException};

use crate::{
    grpc::{call, call_stream, dead, stream, unary, upstream},
    support::{PROTOCOLS, Server, observed, within},
};

/// The headers of an upstream's response that consists of a status alone.
const TRAILERS_ONLY: &[(&str, &str)] = &[
    ("content-type", "application/grpc"),
    ("grpc-status", "5"),
    ("grpc-message", "no such order"),
    ("set-cookie", "session=upstream"),
    ("x-internal", "10.0.0.7"),
    ("location", "http://10.0.0.7/"),
    ("access-control-allow-origin", "*"),
    ("content-encoding", "gzip"),
    ("server", "upstream/1.0"),
    ("x-quota", "100"),
];

#[derive(Debug)]
struct OrderError(Status);

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the order service failed")
    }
}

impl Error for OrderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

type Convert = fn(Status) -> BoxError;

/// An axum handler returns an exception; a tower service returns a status, or an error that has the
/// status as its source.
const CONVERSIONS: [(Convert, bool); 4] = [
    (|status| HttpException::from(status).into(), true),
    (|status| status.into(), true),
    (|status| OrderError(status).into(), false),
    (
        |status| OrderError(HttpException::from(status).into_status()).into(),
        true,
    ),
];

trait IntoStatus {
    fn into_status(self) -> Status;
}

impl IntoStatus for HttpException {
    fn into_status(self) -> Status {
        self.into()
    }
}

/// Serves a REST gateway in front of `upstream`, and returns what a client receives.
async fn gateway(upstream: SocketAddr, convert: Convert, layer: Layer) -> Vec<String> {
    let service = service_fn(move |_: Request<Incoming>| async move {
        let text = within(call(upstream)).await.map_err(convert)?;
        Ok::<_, BoxError>(Response::new(Full::from(text)))
    });
    let server = match layer {
        Layer::Unconfigured => Server::start(ExceptionLayer::new().layer(service)).await,
        Layer::Configured => {
            let layer = ExceptionLayer::new().observe(|_: &Caught, _| {});
            Server::start(layer.layer(service)).await
        }
        Layer::Nested => {
            let layer = ExceptionLayer::new().observe(|_: &Caught, _| {});
            Server::start(layer.layer(ExceptionLayer::new().layer(service))).await
        }
    };
    let mut received = Vec::new();
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        received.push(client.get("/").await);
    }
    received
}

#[derive(Clone, Copy)]
enum Layer {
    Unconfigured,
    Configured,
    Nested,
}

const LAYERS: [Layer; 3] = [Layer::Unconfigured, Layer::Configured, Layer::Nested];

// A1
#[tokio::test]
async fn no_header_of_an_upstream_reaches_a_rest_client() {
    let upstream = upstream(200, TRAILERS_ONLY, "").await;
    for (convert, shows_message) in CONVERSIONS {
        for layer in LAYERS {
            let detail = if shows_message {
                "no such order"
            } else {
                "Not Found"
            };
            let length = detail.len() + r#"{"detail":""}"#.len();
            let expected = format!(
                "404 | content-length: {length} | content-type: application/json | {{\"detail\":\"{detail}\"}}"
            );
            for received in gateway(upstream, convert, layer).await {
                assert_eq!(received, expected);
            }
        }
    }
}

// A1
#[tokio::test]
async fn no_header_of_an_upstream_reaches_a_client_of_axum() {
    let upstream = upstream(200, TRAILERS_ONLY, "").await;
    let handler = move || async move { Ok::<_, HttpException>(call(upstream).await?) };
    let by_name = move || async move {
        call(upstream)
            .await
            .map_err(|status| HttpException::from(status).with_metadata(["x-quota", "date-of"]))
    };
    let router = Router::new()
        .route("/", get(handler))
        .route("/by-name", get(by_name))
        .layer(ExceptionLayer::new());
    let server = Server::start_axum(router).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        let expected = r#"404 | content-length: 26 | content-type: application/json | {"detail":"no such order"}"#;
        assert_eq!(client.get("/").await, expected);
        let expected = r#"404 | content-length: 26 | content-type: application/json | x-quota: 100 | {"detail":"no such order"}"#;
        assert_eq!(client.get("/by-name").await, expected);
    }
}

// A1
#[tokio::test]
async fn a_proxys_error_page_and_a_dead_upstream_are_not_described() {
    const HTML: &[(&str, &str)] = &[("content-type", "text/html"), ("server", "proxy/1.0")];
    for (upstream, expected) in [
        (
            upstream(502, HTML, "<html>10.0.0.7 is down</html>").await,
            500,
        ),
        (upstream(502, HTML, "<p>").await, 500),
        (upstream(502, HTML, "").await, 503),
        (upstream(404, HTML, "").await, 501),
        (dead().await, 503),
    ] {
        for (convert, _) in CONVERSIONS {
            let status = http::StatusCode::from_u16(expected).unwrap();
            let detail = status.canonical_reason().unwrap();
            let length = detail.len() + r#"{"detail":""}"#.len();
            let expected = format!(
                "{expected} | content-length: {length} | content-type: application/json | {{\"detail\":\"{detail}\"}}"
            );
            for received in gateway(upstream, convert, Layer::Configured).await {
                assert_eq!(received, expected, "{upstream}");
            }
        }
    }
}

/// Serves gRPC by tonic's server. The handler returns the status of `upstream`.
async fn relay(upstream: SocketAddr, configured: bool) -> SocketAddr {
    let service = service_fn(move |request: Request<Incoming>| async move {
        let handler = async move { call(upstream).await };
        Ok::<_, Infallible>(unary(request, handler).await)
    });
    if configured {
        let layer = ExceptionLayer::new().observe(|_: &Caught, _| {});
        Server::start(layer.layer(service)).await.detach()
    } else {
        Server::start(ExceptionLayer::new().layer(service))
            .await
            .detach()
    }
}

// A1
#[tokio::test]
async fn a_status_that_a_grpc_server_relays_has_no_header_of_the_upstream() {
    let alive = upstream(200, TRAILERS_ONLY, "").await;
    for configured in [false, true] {
        let relay = relay(alive, configured).await;
        let status = within(call(relay)).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::NotFound, "no such order")
        );
        let mut names: Vec<_> = status
            .metadata()
            .as_ref()
            .keys()
            .map(|it| it.as_str())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "date"], "{status:?}");
    }
}

// A1
#[tokio::test]
async fn a_grpc_server_does_not_describe_the_failed_connection_to_its_upstream() {
    let dead = dead().await;
    for configured in [false, true] {
        let relay = relay(dead, configured).await;
        let status = within(call(relay)).await.unwrap_err();
        let received = (status.code(), status.message());
        assert_eq!(received, (Code::Unavailable, "Service Unavailable"));
    }
}

/// A status that a handler has made for its client.
fn own() -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("x-shelf", "7".parse().unwrap());
    Status::with_details_and_metadata(
        Code::DataLoss,
        "the shelf burned down",
        bytes::Bytes::from_static(b"\x08\x0f"),
        metadata,
    )
}

// A1
#[tokio::test]
async fn a_status_that_a_handler_made_is_sent_as_the_handler_made_it() {
    type Fail = fn(fn() -> Status) -> Result<Status, BoxError>;
    // tonic's own response; an error of a tower service; an exception, by `?`.
    let fails: [Fail; 3] = [
        |own| Ok(own()),
        |own| Err(own().into()),
        |own| Err(HttpException::from(own()).into()),
    ];
    for fail in fails {
        let service = service_fn(move |request: Request<Incoming>| async move {
            let status = fail(own)?;
            let response = unary(request, async move { Err(status) }).await;
            Ok::<_, BoxError>(response)
        });
        let (layer, mut reports) = observed(ExceptionLayer::new());
        for server in [
            Server::start(ExceptionLayer::new().layer(service)).await,
            Server::start(layer.layer(service)).await,
        ] {
            let status = within(call(server.address())).await.unwrap_err();
            assert_eq!(
                (status.code(), status.message()),
                (Code::DataLoss, "the shelf burned down")
            );
            assert_eq!(status.details(), b"\x08\x0f");
            assert_eq!(status.metadata().get("x-shelf").unwrap(), "7");
        }
        assert_eq!(reports.take().len(), 1);
    }
}

// A1
#[tokio::test]
async fn a_status_in_the_sources_of_another_error_shows_a_grpc_client_its_code_only() {
    let service = service_fn(async |_: Request<Incoming>| {
        Err::<Response<Full<bytes::Bytes>>, _>(OrderError(own()))
    });
    let server = Server::start(ExceptionLayer::new().layer(service)).await;
    let status = within(call(server.address())).await.unwrap_err();
    let received = (status.code(), status.message());
    assert_eq!(received, (Code::DataLoss, "Internal Server Error"));
    assert!(status.details().is_empty());
    assert!(status.metadata().get("x-shelf").is_none());
}

// A1: an upstream's stream fails, and a stream of this server is ended by it.
#[tokio::test]
async fn a_stream_that_fails_with_an_upstreams_head_shows_no_header_of_it() {
    let upstream = upstream(200, TRAILERS_ONLY, "").await;
    let service = service_fn(move |request: Request<Incoming>| async move {
        let messages = futures_util::stream::once(async move {
            let status = call(upstream).await.unwrap_err();
            HttpException::from(status).raise_async().await
        });
        Ok::<_, Infallible>(stream(request, messages).await)
    });
    let server = Server::start(ExceptionLayer::new().layer(service)).await;
    let (messages, status) = call_stream(server.address()).await;
    let status = status.unwrap();
    assert!(messages.is_empty());
    assert_eq!(
        (status.code(), status.message()),
        (Code::NotFound, "no such order")
    );
    assert!(status.metadata().get("x-internal").is_none(), "{status:?}");
}
