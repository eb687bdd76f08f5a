//! Rejections of axum's extractors as an `Error`.

use axum::{
    Json, Router,
    extract::{
        FromRequest, FromRequestParts, Path, Query,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    routing::{get, post},
};
use axum_extra::extract::WithRejection;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header::CONTENT_TYPE};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use tower_exception::{Caught, Error, ExceptionLayer, HttpException, config::LayerConfig};

use crate::support::{PROTOCOLS, Server, observed};

#[derive(Deserialize, Serialize)]
struct Item {
    price: u32,
}

/// `Json` whose rejection is an [`Error`].
#[derive(FromRequest)]
#[from_request(via(Json), rejection(Error))]
struct ValidJson<T>(T);

/// `Path` whose rejection is an [`Error`].
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(Error))]
struct ValidPath<T>(T);

fn app(layer: ExceptionLayer<impl LayerConfig>) -> Router {
    Router::new()
        .route(
            "/with",
            post(
                async |WithRejection(Json(item), _): WithRejection<Json<Item>, Error>| {
                    item.price.to_string()
                },
            ),
        )
        .route(
            "/derived",
            post(async |ValidJson(item): ValidJson<Item>| item.price.to_string()),
        )
        .route(
            "/path/{id}",
            get(async |ValidPath(id): ValidPath<u32>| id.to_string()),
        )
        .route(
            "/query",
            get(
                async |WithRejection(Query(item), _): WithRejection<Query<Item>, Error>| {
                    item.price.to_string()
                },
            ),
        )
        .layer(layer)
}

fn post_of(path: &str, body: &'static str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(Method::POST).uri(path);
    let mut request = request.body(Full::from(body)).unwrap();
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(CONTENT_TYPE, json);
    request
}

fn get_of(path: &str) -> Request<Full<Bytes>> {
    crate::support::request(Method::GET, path)
}

// E1
#[tokio::test]
async fn the_rejection_of_an_extractor_reaches_the_handler_of_its_type() {
    let (layer, mut reports) = observed(
        ExceptionLayer::new()
            .on(|rejection: Caught<JsonRejection>| {
                HttpException::new(rejection.status()).with_detail(rejection.body_text())
            })
            .on(|_: Caught<PathRejection>| HttpException::not_found("no such item"))
            .on(|_: Caught<QueryRejection>| HttpException::bad_request("no such page")),
    );
    let server = Server::start_axum(app(layer)).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for path in ["/with", "/derived"] {
            for (body, status, detail) in [
                (
                    "{",
                    400,
                    "Failed to parse the request body as JSON: EOF while parsing an object",
                ),
                (
                    "{}",
                    422,
                    "Failed to deserialize the JSON body into the target type: missing field",
                ),
            ] {
                let received = client.exchange(post_of(path, body)).await.unwrap();
                assert_eq!(received.status, status, "{path}");
                let body: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
                assert!(
                    body["detail"].as_str().unwrap().starts_with(detail),
                    "{body}"
                );
                let report = reports.next().await.to_string();
                assert!(report.starts_with(&format!("Attached Future Status({status})")));
                reports.assert_none();
            }
            let received = client
                .exchange(post_of(path, r#"{"price":3}"#))
                .await
                .unwrap();
            assert_eq!((received.status.as_u16(), received.text()), (200, "3"));
        }
        let received = client.exchange(get_of("/path/x")).await.unwrap();
        received.assert_detail(404, "no such item");
        let received = client.exchange(get_of("/query?price=x")).await.unwrap();
        received.assert_detail(400, "no such page");
        reports.take();
    }
}

/// `tests/invalid` has each fault.
#[tokio::test]
async fn the_rejection_of_an_extractor_is_a_list_of_faults_without_a_handler() {
    let (observed, mut reports) = observed(ExceptionLayer::new());
    for server in [
        Server::start_axum(app(ExceptionLayer::new())).await,
        Server::start_axum(app(observed)).await,
    ] {
        for (request, place) in [
            (post_of("/with", "{}"), r#""loc":["body","price"]"#),
            (post_of("/derived", "{"), r#""loc":["body",1]"#),
            (get_of("/path/x"), r#""loc":["path"]"#),
            (get_of("/query"), r#""loc":["query","price"]"#),
        ] {
            let received = server.send(request).await;
            assert_eq!(received.status, 422);
            assert!(received.text().contains(place), "{}", received.text());
            assert_eq!(received.header("content-type"), Some("application/json"));
        }
    }
    assert_eq!(reports.take().len(), 4);
}
