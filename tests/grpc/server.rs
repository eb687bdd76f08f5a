//! A service with one method for each kind of call, which fails as its client requests.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use futures_util::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::task::yield_now;
use tonic::{Request, Response, Status, Streaming, async_trait};
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, ServiceBuilder, layer::layer_fn};
use tower_exception::ExceptionLayer;

use crate::{
    faults::{self, Fault, MESSAGES, Position},
    generated::{
        Item, ItemId, Total,
        items_server::{Items, ItemsServer},
    },
    support::Server,
};

/// The service, which counts the received messages.
#[derive(Clone, Default)]
pub struct Shop {
    received: Arc<AtomicU32>,
    eager: bool,
}

impl Shop {
    /// Makes a service whose streams yield all messages in one poll.
    pub fn eager() -> Self {
        Self {
            eager: true,
            ..Self::default()
        }
    }

    pub fn received(&self) -> u32 {
        self.received.load(SeqCst)
    }

    fn note(&self) {
        self.received.fetch_add(1, SeqCst);
    }
}

/// The side of `GrpcWebLayer` on which the layer is.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    Outside,
    Inside,
}

/// Serves gRPC and gRPC-Web.
pub async fn serve(shop: Shop, side: Side) -> Server {
    let service = layer_fn(faults::layer).layer(ItemsServer::new(shop));
    let exceptions = ExceptionLayer::new();
    let web = GrpcWebLayer::new();
    let stack = ServiceBuilder::new();
    match side {
        Side::Outside => Server::start(stack.layer(exceptions).layer(web).service(service)).await,
        Side::Inside => Server::start(stack.layer(web).layer(exceptions).service(service)).await,
    }
}

pub fn item(id: u32) -> Item {
    let name = format!("item {id}");
    Item { id, name }
}

/// Returns the position in a stream after this many messages.
fn position(messages: u32) -> Position {
    match messages {
        0 => Position::Before,
        MESSAGES => Position::After,
        _ => Position::Between,
    }
}

fn fault<T>(request: &Request<T>) -> Option<Fault> {
    let metadata = request.metadata().clone();
    Fault::read(&metadata.into_headers())
}

/// Returns a stream with an item for every id, and with the fault.
fn items_of(
    ids: impl Stream<Item = Result<u32, Status>> + Send + 'static,
    fault: Option<Fault>,
    eager: bool,
) -> BoxStream<'static, Result<Item, Status>> {
    let items = stream::try_unfold((Box::pin(ids), 0), move |(mut ids, sent)| async move {
        if !eager {
            // tonic holds a message back if the next one is ready in the same poll, and sends both
            // together.
            yield_now().await;
        }
        Fault::at(fault, position(sent)).await?;
        match ids.next().await.transpose()? {
            Some(id) => Ok(Some((item(id), (ids, sent + 1)))),
            None => Ok(None),
        }
    });
    Box::pin(items)
}

#[async_trait]
impl Items for Shop {
    async fn get(&self, request: Request<ItemId>) -> Result<Response<Item>, Status> {
        self.note();
        Fault::at(fault(&request), Position::Between).await?;
        Ok(Response::new(item(request.into_inner().id)))
    }

    async fn count(&self, request: Request<Streaming<ItemId>>) -> Result<Response<Total>, Status> {
        let fault = fault(&request);
        let mut ids = request.into_inner();
        let mut items = 0;
        loop {
            Fault::at(fault, position(items)).await?;
            if ids.message().await?.is_none() {
                return Ok(Response::new(Total { items }));
            }
            self.note();
            items += 1;
        }
    }

    type ListStream = BoxStream<'static, Result<Item, Status>>;

    async fn list(&self, request: Request<Total>) -> Result<Response<Self::ListStream>, Status> {
        self.note();
        let fault = fault(&request);
        Fault::at(fault, Position::InTheHandler).await?;
        let ids = stream::iter((1..=request.into_inner().items).map(Ok));
        Ok(Response::new(items_of(ids, fault, self.eager)))
    }

    type FindStream = BoxStream<'static, Result<Item, Status>>;

    async fn find(
        &self,
        request: Request<Streaming<ItemId>>,
    ) -> Result<Response<Self::FindStream>, Status> {
        let fault = fault(&request);
        Fault::at(fault, Position::InTheHandler).await?;
        let shop = self.clone();
        let ids = request.into_inner().map(move |id| {
            shop.note();
            id.map(|id| id.id)
        });
        Ok(Response::new(items_of(ids, fault, self.eager)))
    }
}
