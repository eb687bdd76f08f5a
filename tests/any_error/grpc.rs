//! Errors of tonic's handlers, in tonic's own server, over gRPC and gRPC-Web.

use std::net::SocketAddr;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::Version;
use tonic::{
    Code, Request, Response, Status, Streaming, async_trait,
    transport::{self, server::TcpIncoming},
};
use tonic_web::GrpcWebLayer;
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, Raise, Result,
    config::{Configured, LayerConfig},
};

use crate::{
    cases::{CASES, Case},
    client::{self, Client},
    generated::{
        Item, ItemId, Total,
        items_server::{Items, ItemsServer},
    },
    shop::{disk, shop},
    support::{SECRET_TEXT, observed, panic_hook_runs, within},
};

/// The shop: a request names the number of a [`CASES`], and the way to fail.
#[derive(Clone)]
struct Shop;

const WAYS: u32 = 3;

/// Fails without a `Status` in sight.
fn load(id: u32) -> Result<Item> {
    let error = CASES[(id / WAYS) as usize].error;
    match id % WAYS {
        RAISED => error().raise(),
        _ => Err(error()),
    }
}

const RAISED: u32 = 1;
const TASK: u32 = 2;

#[async_trait]
impl Items for Shop {
    async fn get(&self, request: Request<ItemId>) -> Result<Response<Item>, Status> {
        let id = request.into_inner().id;
        if id % WAYS == TASK {
            let task = tokio::spawn(async move { load(id - TASK + RAISED) });
            return Ok(Response::new(task.await.map_err(Error::from)??));
        }
        Ok(Response::new(load(id)?))
    }

    async fn count(&self, _: Request<Streaming<ItemId>>) -> Result<Response<Total>, Status> {
        Err(Status::unimplemented(""))
    }

    type ListStream = BoxStream<'static, Result<Item, Status>>;

    async fn list(&self, request: Request<Total>) -> Result<Response<Self::ListStream>, Status> {
        let id = request.into_inner().items;
        let items = stream::iter([None, Some(id)]).then(move |id| async move {
            tokio::task::yield_now().await;
            match id {
                None => Ok(Item::default()),
                Some(id) => Ok(load(id)?),
            }
        });
        Ok(Response::new(items.boxed()))
    }

    type FindStream = BoxStream<'static, Result<Item, Status>>;

    async fn find(
        &self,
        _: Request<Streaming<ItemId>>,
    ) -> Result<Response<Self::FindStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

async fn serve(layer: ExceptionLayer<impl LayerConfig>) -> SocketAddr {
    panic_hook_runs();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let incoming = incoming.with_nodelay(Some(true));
    let address = incoming.local_addr().unwrap();
    let server = transport::Server::builder()
        .accept_http1(true)
        .layer(layer)
        .layer(GrpcWebLayer::new())
        .add_service(ItemsServer::new(Shop));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
    address
}

fn clients(address: SocketAddr) -> [(&'static str, Client); 3] {
    [
        ("gRPC", client::grpc(address)),
        (
            "gRPC-Web over HTTP/1.1",
            client::grpc_web(address, Version::HTTP_11),
        ),
        (
            "gRPC-Web over HTTP/2",
            client::grpc_web(address, Version::HTTP_2),
        ),
    ]
}

/// Calls a unary and a streaming method for each case in each way.
///
/// tonic encodes the error of a stream into trailers, from which no layer gets it back. It has its
/// default there. What is raised has not met tonic, and has handlers.
async fn check(address: SocketAddr, expected: fn(&Case) -> (u16, &'static str)) {
    let mut differences = Vec::new();
    for (protocol, mut client) in clients(address) {
        for (number, case) in CASES.iter().enumerate() {
            for way in 0..WAYS {
                let id = number as u32 * WAYS + way;
                let unary = within(client.get(ItemId { id })).await.unwrap_err();
                let list = within(client.list(Total { items: id })).await.unwrap();
                let mut list = list.into_inner();
                assert_eq!(within(list.message()).await.unwrap(), Some(Item::default()));
                let streamed = within(list.message()).await.unwrap_err();
                let of_stream = match way {
                    RAISED => expected(case),
                    _ => case.default,
                };
                for (kind, got, (status, detail)) in [
                    ("unary", unary, expected(case)),
                    ("stream", streamed, of_stream),
                ] {
                    let exception = HttpException::new(status.try_into().unwrap());
                    let code = Status::from(exception).code();
                    if (got.code(), got.message()) != (code, detail) {
                        let name = case.name;
                        differences.push(format!("{protocol} {kind} {way} {name}: {got}"));
                    }
                }
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

// E2
#[tokio::test]
async fn a_tonic_handler_returns_any_error() {
    check(serve(shop()).await, |case| case.handled).await;
}

// E2
#[tokio::test]
async fn a_tonic_handler_returns_any_error_under_a_plain_layer() {
    check(serve(ExceptionLayer::new()).await, |case| case.default).await;
}

#[tokio::test]
async fn an_error_of_a_tonic_handler_is_reported_once() {
    let (layer, mut reports) = observed(shop());
    let address = serve(layer).await;
    let own = number_of("own");
    for (_, mut client) in clients(address) {
        for (way, mechanism) in [(0, "Attached"), (1, "Raised")] {
            let id = own * WAYS + way;
            let status = client.get(ItemId { id }).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound);
            let report = reports.next().await.to_string();
            assert!(report.starts_with(mechanism), "{report}");
            assert!(report.contains("Grpc(NotFound)"), "{report}");
            assert!(report.ends_with("plumbus is sold out"), "{report}");
            reports.assert_none();
        }
    }
}

fn number_of(name: &str) -> u32 {
    let number = CASES.iter().position(|case| case.name == name);
    number.unwrap().try_into().unwrap()
}

// E3, E15
#[tokio::test]
async fn a_reply_that_says_no_status_has_the_code_of_the_failure() {
    let layers: [ExceptionLayer<Configured>; 5] = [
        ExceptionLayer::new().on_any(|_: Caught| "sorry"),
        ExceptionLayer::new().on_any(async |_: Caught| "sorry"),
        ExceptionLayer::new().on_any(|_: Caught| axum::Json("sorry")),
        ExceptionLayer::new().on_any(|_: Caught| axum::response::Html("sorry")),
        ExceptionLayer::new().on_status(400..=599, |_: Caught<HttpException>| "sorry"),
    ];
    for layer in layers {
        for (_, mut client) in clients(serve(layer).await) {
            for (name, code) in [
                ("own", Code::Internal),
                ("elapsed", Code::DeadlineExceeded),
                ("exception", Code::Aborted),
            ] {
                for way in 0..WAYS {
                    let id = number_of(name) * WAYS + way;
                    let status = within(client.get(ItemId { id })).await.unwrap_err();
                    assert_eq!(status.code(), code, "{name} {way}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_handler_that_fails_with_an_error_says_nothing_over_grpc() {
    let layer = ExceptionLayer::new().on_any(|_: Caught| Error::from(disk()));
    let (layer, mut reports) = observed(layer);
    for (protocol, mut client) in clients(serve(layer).await) {
        let id = number_of("own") * WAYS;
        let status = within(client.get(ItemId { id })).await.unwrap_err();
        let got = (status.code(), status.message());
        assert_eq!(got, (Code::Internal, "Internal Server Error"), "{protocol}");
        let failed = format!("Returned Handling Grpc(Internal): {SECRET_TEXT}");
        let own = "Attached Future Grpc(Internal): plumbus is sold out".to_owned();
        assert_eq!(reports.take(), [failed, own], "{protocol}");
    }
}
