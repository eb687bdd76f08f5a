//! The third app as an axum `Router`.

use axum::{
    Json, Router,
    extract::{Path, Query},
    routing::{get, post},
};
use axum_extra::extract::WithRejection;
use http::HeaderMap;
use serde_json::{Value, json};
use tower_exception::{Error, HttpException};

use super::forms::{
    Item, ItemPath, ItemQuery, NEGOTIATING, Order, Search, count, negotiating, no_such_page,
    validating,
};

/// Extractor whose rejection is a list of faults.
type Valid<T> = WithRejection<T, Error>;

pub fn app() -> Router {
    let validating = Router::new()
        .route("/items", post(create_item))
        .route("/orders", post(create_order))
        .route("/items/{item_id}", get(read_item))
        .route("/search", get(search))
        .route("/agent", get(agent))
        .layer(validating());
    NEGOTIATING.into_iter().fold(validating, |app, name| {
        let route = get(async || Err::<(), _>(no_such_page()));
        match negotiating(name) {
            Some(layer) => app.route(&format!("/forms/{name}"), route.layer(layer)),
            None => app,
        }
    })
}

async fn create_item(WithRejection(Json(item), _): Valid<Json<Item>>) -> Json<Item> {
    Json(item)
}

async fn create_order(WithRejection(Json(order), _): Valid<Json<Order>>) -> Json<Order> {
    Json(order)
}

async fn read_item(
    WithRejection(Path(path), _): Valid<Path<ItemPath>>,
    WithRejection(Query(query), _): Valid<Query<ItemQuery>>,
) -> Json<Value> {
    Json(json!({ "item_id": path.item_id, "query": query }))
}

async fn search(WithRejection(Query(search), _): Valid<Query<Search>>) -> Json<Search> {
    Json(search)
}

async fn agent(headers: HeaderMap) -> Result<Json<Value>, HttpException> {
    Ok(Json(json!({ "x-count": count(&headers)? })))
}
