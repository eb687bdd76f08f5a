//! Panics of tonic's handlers.

use futures_util::stream::BoxStream;
use http::{Method, header::CONTENT_TYPE};
use tonic::{Request, Response, Status, Streaming, async_trait};
use tower::Layer;
use tower_exception::ExceptionLayer;

use crate::{
    generated::{
        Item, ItemId, Total,
        items_server::{Items, ItemsServer},
    },
    panic_here,
    seen::watched,
    support::{Protocol, Server, request},
};

struct Panics;

#[async_trait]
impl Items for Panics {
    async fn get(&self, _: Request<ItemId>) -> Result<Response<Item>, Status> {
        panic_here!()
    }

    async fn count(&self, _: Request<Streaming<ItemId>>) -> Result<Response<Total>, Status> {
        Err(Status::unimplemented("not here"))
    }

    type ListStream = BoxStream<'static, Result<Item, Status>>;

    async fn list(&self, _: Request<Total>) -> Result<Response<Self::ListStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    type FindStream = Self::ListStream;

    async fn find(
        &self,
        _: Request<Streaming<ItemId>>,
    ) -> Result<Response<Self::FindStream>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

#[tokio::test]
async fn a_panic_of_a_tonic_handler_has_its_place() {
    let (layer, mut panics) = watched(ExceptionLayer::new());
    let server = Server::start(layer.layer(ItemsServer::new(Panics))).await;
    let mut call = request(Method::POST, "/items.v1.Items/Get");
    *call.body_mut() = bytes::Bytes::from_static(&[0; 5]).into();
    let grpc = "application/grpc".parse().unwrap();
    call.headers_mut().insert(CONTENT_TYPE, grpc);
    let mut client = server.connect(Protocol::Http2).await;
    let received = client.exchange(call).await.unwrap();
    assert_eq!(received.headers["grpc-status"], "13");
    panics.next_handled().await.assert_is_in("grpc.rs", "tonic");
}
