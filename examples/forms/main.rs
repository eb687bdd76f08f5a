//! A small shop with a page, an API and a gRPC service. The same error has the form that its client
//! reads: a page in a browser, a problem document for programs, a status for gRPC clients.
//!
//! ```sh
//! cargo run --example forms --features axum,tonic,tracing,uuid
//! ```
//!
//! Open the address that it prints, and click. For the other clients:
//!
//! ```sh
//! curl -i http://127.0.0.1:8080/items/7
//! curl -i http://127.0.0.1:8080/items/7 -H 'accept: text/plain'
//! ```

use std::{env, error::Error, time::Duration};

use axum::{
    Json, Router,
    extract::Path,
    response::Html,
    routing::{get, post},
};
use axum_extra::extract::WithRejection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};
use tonic_web::GrpcWebLayer;
use tower::ServiceBuilder;
use tower_exception::{
    Error as AnyError, ExceptionLayer, HttpException, Ids, Result, bail,
    config::Configured,
    render::{self, Negotiated, Problem, Text, request_path},
};

use shop::{
    Item, ItemId,
    shop_server::{Shop, ShopServer},
};

/// Code that the crate in `tests/grpc/generate` generates from `examples/grpc/shop.proto`.
#[rustfmt::skip]
#[path = "../grpc/generated.rs"]
pub mod shop;

/// Business function, which knows neither forms nor protocols.
async fn item(id: u32) -> Result<Item> {
    match id {
        1 => {
            let name = "plumbus".to_owned();
            Ok(Item { id, name })
        }
        7 => {
            let sold_out = HttpException::conflict(format!("plumbus {id} is sold out"))
                .with_type("https://shop.example/problems/sold-out")
                .with_title("Sold out")
                .with_code("sold-out")
                .with_retry_after(Duration::from_secs(3600));
            Err(sold_out.try_with_member("alternatives", &[1])?.into())
        }
        13 => bail!(std::io::Error::other("the shelf has collapsed")),
        _ => bail!(not_found, "there is no plumbus {id}"),
    }
}

async fn page() -> Html<&'static str> {
    Html(include_str!("page.html"))
}

async fn rest(Path(id): Path<u32>) -> Result<Json<Value>> {
    let Item { id, name } = item(id).await?;
    Ok(Json(json!({ "id": id, "name": name })))
}

#[derive(Deserialize, Serialize)]
struct Order {
    customer: String,
    quantity: u32,
}

/// Lists every fault of an order. One that is no order at all has the first fault only.
async fn order(
    WithRejection(Json(order), _): WithRejection<Json<Order>, AnyError>,
) -> Result<Json<Order>> {
    let mut invalid = HttpException::invalid();
    if order.customer.is_empty() {
        invalid = invalid.at("/customer", "must not be empty");
    }
    if !(1..=99).contains(&order.quantity) {
        invalid = invalid.at("/quantity", "must be between 1 and 99");
    }
    match invalid.faults() {
        [] => Ok(Json(order)),
        _ => Err(invalid.into()),
    }
}

struct Grpc;

#[tonic::async_trait]
impl Shop for Grpc {
    async fn get_item(&self, request: Request<ItemId>) -> Result<Response<Item>, Status> {
        Ok(Response::new(item(request.into_inner().id).await?))
    }
}

/// Returns the layer that gives an error the form that the client prefers. A client without a
/// preference gets the first one.
fn forms() -> ExceptionLayer<Configured> {
    let problem = Problem::new()
        .types_under("https://shop.example/problems/")
        .instance(request_path);
    ExceptionLayer::new()
        .with_renderer(Negotiated::new(problem).or(render::Html::new()).or(Text))
        .adopt_error_responses()
        .with_error_domain("shop.example")
        .identify(Ids::request_id().or_trace_id().or_new())
}

pub fn app() -> Router {
    let grpc = ServiceBuilder::new().layer(GrpcWebLayer::new());
    Router::new()
        .route("/", get(page))
        .route("/items/{id}", get(rest))
        .route("/orders", post(order))
        .route_service(
            "/shop.v1.Shop/{*method}",
            grpc.service(ShopServer::new(Grpc)),
        )
        .layer(forms())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app()).await?)
}
