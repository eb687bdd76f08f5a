//! The rejections of axum's extractors as lists of faults.

use axum::{
    Form, Json, Router,
    extract::{
        Path, Query,
        rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection},
    },
    response::IntoResponse,
    routing::{get, post},
};
use axum_extra::extract::WithRejection;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header::CONTENT_TYPE};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_exception::{Error, ExceptionLayer, HttpException};

use crate::support::{Received, Server, observed, request};

#[derive(Deserialize)]
struct Item {
    name: String,
    tags: Vec<u8>,
}

#[derive(Deserialize)]
struct Page {
    page: i64,
    all: Option<bool>,
    /// Lowest price.
    from: Option<f64>,
}

#[derive(Deserialize)]
struct Ids {
    item_id: i64,
}

/// Returns the routes with extractors whose rejection is `R`.
fn routes<R>() -> Router
where
    R: From<JsonRejection> + From<QueryRejection> + From<PathRejection> + From<FormRejection>,
    R: IntoResponse + Send + Sync + 'static,
{
    Router::new()
        .route(
            "/json",
            post(
                async |WithRejection(Json(item), _): WithRejection<Json<Item>, R>| {
                    format!("{} {}", item.name, item.tags.len())
                },
            ),
        )
        .route(
            "/form",
            get(
                async |WithRejection(Form(page), _): WithRejection<Form<Page>, R>| {
                    format!("{} {:?} {:?}", page.page, page.all, page.from)
                },
            )
            .post(
                async |WithRejection(Form(page), _): WithRejection<Form<Page>, R>| {
                    format!("{} {:?} {:?}", page.page, page.all, page.from)
                },
            ),
        )
        .route(
            "/query",
            get(
                async |WithRejection(Query(page), _): WithRejection<Query<Page>, R>| {
                    format!("{} {:?} {:?}", page.page, page.all, page.from)
                },
            ),
        )
        .route(
            "/items/{item_id}",
            get(
                async |WithRejection(Path(ids), _): WithRejection<Path<Ids>, R>| {
                    ids.item_id.to_string()
                },
            ),
        )
        .route(
            "/one/{id}",
            get(async |WithRejection(Path(id), _): WithRejection<Path<i64>, R>| id.to_string()),
        )
        .route(
            "/flags/{flag}",
            get(
                async |WithRejection(Path(flag), _): WithRejection<Path<bool>, R>| flag.to_string(),
            ),
        )
        .route(
            "/shares/{share}",
            get(
                async |WithRejection(Path(share), _): WithRejection<Path<f64>, R>| {
                    share.to_string()
                },
            ),
        )
        .route(
            "/two/{a}/{b}",
            get(
                async |WithRejection(Path((a, b)), _): WithRejection<Path<(u8, u8)>, R>| {
                    (a + b).to_string()
                },
            ),
        )
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn post_of(path: &str, content_type: &'static str, body: &'static str) -> Request<Full<Bytes>> {
    let mut request = request(Method::POST, path).map(|_| Full::from(body));
    let content_type = HeaderValue::from_static(content_type);
    request.headers_mut().insert(CONTENT_TYPE, content_type);
    request
}

fn get_of(path: &str) -> Request<Full<Bytes>> {
    request(Method::GET, path)
}

/// Returns the detail of a response: a list of faults, or a text.
fn detail(received: &Received) -> Value {
    assert_eq!(received.header("content-type"), Some(JSON));
    let mut body: Value = serde_json::from_slice(&received.body).unwrap();
    body["detail"].take()
}

/// Returns each request with its only fault.
fn faults() -> Vec<(Request<Full<Bytes>>, Value)> {
    let missing = |loc: Value| json!({ "type": "missing", "loc": loc, "msg": "Field required", "input": null });
    let fault = |kind: &str, loc: Value, msg: &str, input: Value| json!({ "type": kind, "loc": loc, "msg": msg, "input": input });
    let integer = "Input should be an integer";
    vec![
        (
            post_of("/json", JSON, r#"{"tags":[]}"#),
            missing(json!(["body", "name"])),
        ),
        (post_of("/json", JSON, ""), missing(json!(["body"]))),
        (
            post_of("/json", JSON, r#"{"name":"a","tags":[1,"b"]}"#),
            fault("int_type", json!(["body", "tags", 1]), integer, json!("b")),
        ),
        (
            post_of("/json", JSON, r#"{"name":"a","tags":[]}]"#),
            fault(
                "json_invalid",
                json!(["body", 22]),
                "JSON decode error: trailing characters at line 1 column 23",
                Value::Null,
            ),
        ),
        (get_of("/form"), missing(json!(["query", "page"]))),
        (
            get_of("/form?page=last"),
            fault(
                "int_parsing",
                json!(["query", "page"]),
                integer,
                Value::Null,
            ),
        ),
        (
            post_of("/form", FORM, "page=1&all=perhaps"),
            fault(
                "bool_parsing",
                json!(["body", "all"]),
                "Input should be a boolean",
                Value::Null,
            ),
        ),
        (
            get_of("/query?page="),
            fault(
                "int_parsing",
                json!(["query", "page"]),
                integer,
                Value::Null,
            ),
        ),
        (
            get_of("/query?page=99999999999999999999"),
            fault(
                "out_of_range",
                json!(["query", "page"]),
                "Input is out of range",
                Value::Null,
            ),
        ),
        (
            get_of("/query?page=1&from=cheap"),
            fault(
                "float_parsing",
                json!(["query", "from"]),
                "Input should be a number",
                Value::Null,
            ),
        ),
        (
            get_of("/items/plumbus"),
            fault(
                "int_parsing",
                json!(["path", "item_id"]),
                integer,
                json!("plumbus"),
            ),
        ),
        (
            get_of("/flags/1"),
            fault(
                "bool_parsing",
                json!(["path"]),
                "Input should be a boolean",
                json!("1"),
            ),
        ),
        (
            get_of("/shares/half"),
            fault(
                "float_parsing",
                json!(["path"]),
                "Input should be a number",
                json!("half"),
            ),
        ),
        (
            get_of("/one/x"),
            fault("int_parsing", json!(["path"]), integer, json!("x")),
        ),
        (
            get_of("/two/1/x"),
            fault("int_parsing", json!(["path", 1]), integer, json!("x")),
        ),
        (
            get_of("/items/%ff"),
            fault(
                "value_error",
                json!(["path", "item_id"]),
                "Input should be UTF-8",
                Value::Null,
            ),
        ),
    ]
}

async fn servers() -> Vec<Server> {
    let (configured, _) = observed(ExceptionLayer::new().adopt_error_responses());
    let mut servers = Vec::new();
    for routes in [routes::<Error>(), routes::<HttpException>()] {
        servers.push(Server::start_axum(routes.clone().layer(ExceptionLayer::new())).await);
        servers.push(Server::start_axum(routes.layer(configured.clone())).await);
    }
    // Without a layer, an exception is its own response.
    servers.push(Server::start_axum(routes::<HttpException>()).await);
    servers
}

#[tokio::test]
async fn the_rejection_of_an_extractor_is_a_422_with_the_place_of_the_fault() {
    for server in servers().await {
        for (request, fault) in faults() {
            let shown = format!("{request:?}");
            let received = server.send(request).await;
            assert_eq!(received.status, 422, "{shown}");
            assert_eq!(detail(&received), json!([fault]), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_rejection_for_another_reason_keeps_its_status_and_its_text() {
    for server in servers().await {
        let received = server.send(post_of("/json", "text/plain", "{}")).await;
        assert_eq!(received.status, 415);
        assert_eq!(
            detail(&received),
            "Expected request with `Content-Type: application/json`"
        );
    }
}

/// The log has the rejection, with serde's own text.
#[tokio::test]
async fn an_observer_sees_the_rejection_itself() {
    let (layer, mut reports) = observed(ExceptionLayer::new());
    for routes in [routes::<Error>(), routes::<HttpException>()] {
        let server = Server::start_axum(routes.layer(layer.clone())).await;
        server.send(post_of("/json", JSON, "{}")).await;
        let report = reports.next().await.to_string();
        assert!(report.contains("Status(422)"), "{report}");
    }
}
