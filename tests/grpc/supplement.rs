//! Additions to the detail of an exception, as a client reads them with `tonic-types`.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use tonic::{Code, Status, body::Body, transport::Endpoint};
use tonic_types::{ErrorDetails, StatusExt as _};
use tonic_web::GrpcWebLayer;
use tower::{BoxError, Layer, ServiceBuilder, layer::layer_fn, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, HttpException,
    config::{Configured, LayerConfig},
};

use crate::{
    calls::{Kind, call},
    client::{self, Client},
    faults::{self, Fault, Position, Way},
    generated::{ItemId, items_client::ItemsClient, items_server::ItemsServer},
    server::Shop,
    support::{Protocol, Server, within},
};

const DOMAIN: &str = "shop.example";
const URL: &str = "https://shop.example/problems/sold-out";

/// Returns an exception that says everything that one can say.
pub fn supplemented() -> HttpException {
    HttpException::conflict("plumbus 7 is sold out")
        .with_type(URL)
        .with_title("Sold out")
        .with_code("item-sold-out")
        .with_retry_after(Duration::from_millis(1_500))
        .try_with_member("left", &0)
        .and_then(|it| it.try_with_member("alternatives", &["plumbus 8"]))
        .unwrap()
}

/// Asserts that this is the status of [`supplemented`], whose code has this domain.
pub fn assert_supplemented(status: &Status, domain: &str) {
    assert_eq!(status.code(), Code::Aborted, "{status:?}");
    assert_eq!(status.message(), "plumbus 7 is sold out");

    let info = status.get_details_error_info().unwrap();
    assert_eq!((&*info.reason, &*info.domain), ("ITEM_SOLD_OUT", domain));
    assert!(info.metadata.is_empty());
    let delay = status.get_details_retry_info().unwrap().retry_delay;
    assert_eq!(delay, Some(Duration::from_millis(1_500)));
    let [link] = &status.get_details_help().unwrap().links[..] else {
        panic!("{status:?}");
    };
    assert_eq!((&*link.url, &*link.description), (URL, "Sold out"));
    assert_eq!(status.metadata().get("retry-after").unwrap(), "2");
    let pushback = status.metadata().get("grpc-retry-pushback-ms");
    assert_eq!(pushback.unwrap(), "2000");

    let exception = HttpException::from(status.clone());
    assert_eq!(exception.to_string(), "409: plumbus 7 is sold out");
    assert_eq!(exception.code(), Some("item-sold-out"));
    assert_eq!(exception.problem_type(), Some(URL));
    assert_eq!(exception.title(), Some("Sold out"));
    assert_eq!(exception.retry_after(), Some(Duration::from_millis(1_500)));
    let members = exception.members().map(|(name, json)| (name, json.get()));
    let expected = [("alternatives", r#"["plumbus 8"]"#), ("left", "0")];
    assert_eq!(members.collect::<Vec<_>>(), expected);
}

/// The way in which the exception leaves the service.
#[derive(Clone, Copy, Debug)]
enum Exit {
    Returned,
    AsSource,
    Attached,
    Raised,
    RaisedAsync,
    Status,
}

const EXITS: [Exit; 6] = [
    Exit::Returned,
    Exit::AsSource,
    Exit::Attached,
    Exit::Raised,
    Exit::RaisedAsync,
    Exit::Status,
];

impl Exit {
    async fn go(self) -> Result<Response<Full<Bytes>>, BoxError> {
        match self {
            Self::Returned => Err(supplemented().into()),
            Self::AsSource => Err(std::io::Error::other(supplemented()).into()),
            Self::Attached => Ok(supplemented().into()),
            Self::Raised => supplemented().raise(),
            Self::RaisedAsync => supplemented().raise_async().await,
            Self::Status => Err(Status::from(supplemented()).into()),
        }
    }
}

/// Serves a service that fails in this way, under `layer`, for gRPC and gRPC-Web.
async fn serve<C: LayerConfig>(layer: ExceptionLayer<C>, exit: Exit) -> Server {
    let failing = service_fn(move |_: Request<hyper::body::Incoming>| exit.go());
    Server::start(layer.layer(failing)).await
}

fn clients(server: &Server) -> [Client; 3] {
    [
        client::grpc(server.address()),
        client::grpc_web(server.address(), Version::HTTP_11),
        client::grpc_web(server.address(), Version::HTTP_2),
    ]
}

async fn assert_received(server: &Server, domain: &str) {
    for mut client in clients(server) {
        let status = within(client.get(ItemId::default())).await.unwrap_err();
        assert_supplemented(&status, domain);
    }
}

#[tokio::test]
async fn a_client_receives_it_however_the_exception_leaves_the_service() {
    for exit in EXITS {
        assert_received(&serve(ExceptionLayer::new(), exit).await, "").await;
        let layer = ExceptionLayer::new().with_error_domain(DOMAIN);
        assert_received(&serve(layer, exit).await, DOMAIN).await;
    }
}

#[tokio::test]
async fn a_handler_may_reply_it() {
    let replies = [
        ExceptionLayer::new().on_any(|_: Caught| supplemented()),
        ExceptionLayer::new()
            .on_any(|_: Caught| Status::from(supplemented()).into_http::<Full<Bytes>>()),
    ];
    for layer in replies {
        let layer = layer.with_error_domain(DOMAIN);
        assert_received(&serve(layer, Exit::Raised).await, DOMAIN).await;
    }
}

/// An inner layer renders, and the outer one has the setting. An inner layer's domain stays.
#[tokio::test]
async fn the_domain_is_that_of_the_innermost_layer_that_has_one() {
    let of = |domain: &str| ExceptionLayer::new().with_error_domain(domain);
    let failing = || service_fn(move |_: Request<hyper::body::Incoming>| Exit::Returned.go());
    let plain = of(DOMAIN).layer(ExceptionLayer::new().layer(failing()));
    assert_received(&Server::start(plain).await, DOMAIN).await;
    let inner = of("other.example").layer(of(DOMAIN).layer(failing()));
    assert_received(&Server::start(inner).await, DOMAIN).await;
}

/// tonic writes the status of a handler and of a stream itself.
#[tokio::test]
async fn the_domain_is_set_in_what_tonic_has_written() {
    let stack = ServiceBuilder::new()
        .layer(GrpcWebLayer::new())
        .layer(ExceptionLayer::new().with_error_domain(DOMAIN))
        .layer(layer_fn(faults::layer));
    let server = Server::start(stack.service(ItemsServer::new(Shop::default()))).await;
    let way = Way::Supplemented;
    for mut client in clients(&server) {
        for position in [Position::InTheHandler, Position::Before, Position::Between] {
            let fault = Fault { way, position };
            let (_, status) = within(call(&mut client, Kind::ServerStreaming, fault)).await;
            assert_supplemented(&status, DOMAIN);
        }
    }
}

/// Serves tonic's service, whose handlers fail with `status`.
async fn serve_status<S: Into<Status>>(
    layer: ExceptionLayer<Configured>,
    status: impl Fn() -> S + Clone + Send + 'static,
) -> Server {
    let interceptor = move |_: tonic::Request<()>| Err(status().into());
    let service = ItemsServer::with_interceptor(Shop::default(), interceptor);
    Server::start(layer.layer(service)).await
}

#[tokio::test]
async fn a_status_of_a_handler_keeps_its_details_and_the_domain_of_another_server() {
    for (domain, expected) in [("", DOMAIN), ("other.example", "other.example")] {
        let status = move || {
            let metadata = [("item".to_owned(), "7".to_owned())];
            let mut details = ErrorDetails::with_error_info("NO_STOCK", domain, metadata);
            details.add_bad_request_violation("id", "too large");
            Status::with_error_details(Code::NotFound, "no stock", details)
        };
        let layer = ExceptionLayer::new().with_error_domain(DOMAIN);
        let server = serve_status(layer, status).await;
        let mut client = client::grpc(server.address());
        let received = within(client.get(ItemId::default())).await.unwrap_err();
        let details = received.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((&*info.reason, &*info.domain), ("NO_STOCK", expected));
        assert_eq!(info.metadata["item"], "7");
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations[0].description, "too large");
        // An exception made of it has the code, and nothing of the metadata.
        let exception = HttpException::from(received);
        assert_eq!(exception.code(), Some("no-stock"));
        assert_eq!(exception.members().len(), 0);
    }
}

/// The other parts have room, and the longest header goes.
#[tokio::test]
async fn everything_together_fits_into_what_a_client_accepts() {
    let long = || {
        supplemented()
            .try_with_member("log", &"l".repeat(20_000))
            .unwrap()
            .with_detail("plumbus 7 ".repeat(2_000))
            .try_with_header("x-long", "v".repeat(6_000))
            .unwrap()
    };
    let layer = || ExceptionLayer::new().with_error_domain(DOMAIN);
    let raising = service_fn(move |_: Request<hyper::body::Incoming>| async move {
        Err::<Response<Full<Bytes>>, BoxError>(long().into())
    });
    let raised = Server::start(layer().layer(raising)).await;
    let returned = serve_status(layer(), long).await;
    for server in [raised, returned] {
        let mut client = client::grpc(server.address());
        let status = within(client.get(ItemId::default())).await.unwrap_err();
        assert_eq!(status.code(), Code::Aborted, "{status:?}");
        assert!(status.message().ends_with("..."), "{status:?}");
        let info = status.get_details_error_info().unwrap();
        assert_eq!((&*info.reason, &*info.domain), ("ITEM_SOLD_OUT", DOMAIN));
        assert_eq!(HttpException::from(status.clone()).members().len(), 0);
        assert_eq!(status.metadata().get("retry-after").unwrap(), "2");
        assert!(status.metadata().get("x-long").is_none());
    }
}

/// A service that calls another one by gRPC, and passes its exception on to any client.
#[tokio::test]
async fn an_exception_passes_through_a_gateway() {
    let upstream = serve(
        ExceptionLayer::new().with_error_domain("warehouse.example"),
        Exit::Raised,
    )
    .await;
    let endpoint = Endpoint::try_from(format!("http://{}", upstream.address())).unwrap();
    let client = ItemsClient::new(endpoint.connect_lazy());
    let gateway = service_fn(move |_: Request<hyper::body::Incoming>| {
        let mut client = client.clone();
        async move {
            let status = client.get(ItemId::default()).await.unwrap_err();
            Err::<Response<Body>, _>(HttpException::from(status))
        }
    });
    let layer = ExceptionLayer::new().with_error_domain(DOMAIN);
    let server = Server::start(layer.layer(gateway)).await;
    assert_received(&server, "warehouse.example").await;
    let mut client = server.connect(Protocol::Http1).await;
    let expected = r#"409 | content-length: 34 | content-type: application/json | retry-after: 2 | {"detail":"plumbus 7 is sold out"}"#;
    assert_eq!(client.get("/").await, expected);
}
