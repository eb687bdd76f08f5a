//! One business function that serves REST, gRPC and gRPC-Web. A client of each prints the exception
//! that it receives.
//!
//! ```sh
//! cargo run --example grpc --features axum,tonic
//! ```

use std::{error::Error, net::Ipv4Addr};

use axum::{Json, Router, extract::Path, routing::get};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{client::legacy, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};
use tonic_web::{GrpcWebClientLayer, GrpcWebLayer};
use tower::ServiceBuilder;
use tower_exception::{ExceptionLayer, HttpException};

use shop::{
    Item, ItemId,
    shop_client::ShopClient,
    shop_server::{Shop, ShopServer},
};

/// Code that the crate in `tests/grpc/generate` generates from `shop.proto`.
#[rustfmt::skip]
#[path = "generated.rs"]
mod shop;

/// Business function, which knows neither REST nor gRPC.
async fn item(id: u32) -> Item {
    match id {
        1 => Item {
            id,
            name: "plumbus".to_owned(),
        },
        _ => {
            let exception = HttpException::not_found("Item not found");
            exception.raise_async().await
        }
    }
}

async fn rest(Path(id): Path<u32>) -> Json<Value> {
    let Item { id, name } = item(id).await;
    Json(json!({ "id": id, "name": name }))
}

struct Grpc;

#[tonic::async_trait]
impl Shop for Grpc {
    async fn get_item(&self, request: Request<ItemId>) -> Result<Response<Item>, Status> {
        let id = request.into_inner().id;
        Ok(Response::new(item(id).await))
    }
}

/// Returns the app, with one layer for all three protocols.
fn app() -> Router {
    let grpc = ServiceBuilder::new().layer(GrpcWebLayer::new());
    Router::new()
        .route("/items/{id}", get(rest))
        // A merged router of tonic would handle unknown paths too, and not as HTTP does.
        .route_service(
            "/shop.v1.Shop/{*method}",
            grpc.service(ShopServer::new(Grpc)),
        )
        .layer(ExceptionLayer::new())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async { axum::serve(listener, app()).await });

    let client = legacy::Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.get(format!("{address}/items/2").parse()?).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    println!("REST:     {status} {}", String::from_utf8_lossy(&body));

    let mut client = ShopClient::connect(address.clone()).await?;
    print("gRPC:    ", client.get_item(ItemId { id: 2 }).await);

    let client = legacy::Client::builder(TokioExecutor::new()).build_http();
    let client = ServiceBuilder::new()
        .layer(GrpcWebClientLayer::new())
        .service(client);
    let mut client = ShopClient::with_origin(client, address.parse()?);
    print("gRPC-Web:", client.get_item(ItemId { id: 2 }).await);
    Ok(())
}

fn print(protocol: &str, response: Result<Response<Item>, Status>) {
    match response {
        Ok(item) => println!("{protocol} {:?}", item.into_inner()),
        Err(status) => println!("{protocol} {:?}: {}", status.code(), status.message()),
    }
}
