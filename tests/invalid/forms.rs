//! A list of faults in each form, over HTTP and WebSocket.

use axum::{Router, routing::any};
use http::Method;
use serde_json::{Value, json};
use tower_exception::{
    ExceptionLayer, Fault, HttpException, WebSockets,
    render::{Html, Json, Page, Problem, Text},
};

use crate::{
    invalid,
    support::{
        EXITS, Exit, PROTOCOLS, Server,
        problem_document::problem_in,
        request, serve_failing,
        websocket::{closed, connect},
    },
};

fn fastapi_form() -> Value {
    json!({ "detail": [
        { "type": "value_error", "loc": ["body", "items", 3, "price"], "msg": "must be positive" },
        { "type": "missing", "loc": ["body", "a/b"], "msg": "Field required" },
        { "type": "empty", "loc": ["body"], "msg": "<b>is empty</b>" },
        {
            "type": "value_error", "loc": ["query", "page"], "msg": "must be a number",
            "input": "last",
        },
        { "type": "value_error", "loc": ["path", "item_id"], "msg": "is unknown" },
        { "type": "missing", "loc": ["header", "x-count"], "msg": "Field required" },
    ] })
}

#[tokio::test]
async fn by_default_the_faults_are_fastapis_list() {
    for exit in EXITS {
        let configured = ExceptionLayer::new().with_renderer(Json);
        for server in [
            serve_failing(ExceptionLayer::new(), exit, invalid).await,
            serve_failing(configured, exit, invalid).await,
        ] {
            for protocol in PROTOCOLS {
                let mut client = server.connect(protocol).await;
                let received = client.exchange(request(Method::GET, "/")).await.unwrap();
                assert_eq!(received.status, 422, "{exit:?}");
                assert_eq!(received.header("content-type"), Some("application/json"));
                let body: Value = serde_json::from_slice(&received.body).unwrap();
                assert_eq!(body, fastapi_form(), "{exit:?}");
                let head = client.exchange(request(Method::HEAD, "/")).await.unwrap();
                assert_eq!(
                    head.header("content-length"),
                    received.header("content-length")
                );
            }
        }
    }
}

#[tokio::test]
async fn without_a_fault_the_client_receives_the_reason() {
    let server = serve_failing(
        ExceptionLayer::new(),
        Exit::Returned,
        HttpException::invalid,
    )
    .await;
    server
        .get("/")
        .await
        .assert_detail(422, "Unprocessable Entity");
}

fn with_detail() -> HttpException {
    invalid().with_detail("the order is invalid")
}

#[tokio::test]
async fn a_detail_takes_the_place_of_the_list_in_fastapis_form_only() {
    let server = serve_failing(ExceptionLayer::new(), Exit::Attached, with_detail).await;
    server
        .get("/")
        .await
        .assert_detail(422, "the order is invalid");

    let problem = ExceptionLayer::new().with_renderer(Problem::new());
    let server = serve_failing(problem, Exit::Attached, with_detail).await;
    let body = problem_in(&server.get("/").await);
    assert_eq!(body["detail"], "the order is invalid");
    assert_eq!(body["errors"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn a_problem_document_has_each_fault_with_its_pointer_or_its_parameter() {
    let problem = ExceptionLayer::new().with_renderer(Problem::new());
    let server = serve_failing(problem, Exit::Raised, invalid).await;
    let received = server.get("/").await;
    let body = problem_in(&received);
    let expected = json!({ "title": "Unprocessable Entity", "status": 422, "errors": [
        { "detail": "must be positive", "pointer": "#/items/3/price", "code": "value_error" },
        { "detail": "Field required", "pointer": "#/a~1b", "code": "missing" },
        { "detail": "<b>is empty</b>", "pointer": "#", "code": "empty" },
        { "detail": "must be a number", "parameter": "page", "code": "value_error" },
        { "detail": "is unknown", "parameter": "item_id", "code": "value_error" },
        { "detail": "Field required", "header": "x-count", "code": "missing" },
    ] });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_text_and_a_page_have_a_line_for_each_fault() {
    const LINES: [&str; 6] = [
        "items[3].price: must be positive",
        "a/b: Field required",
        "body: <b>is empty</b>",
        "query parameter page: must be a number",
        "path parameter item_id: is unknown",
        "header x-count: Field required",
    ];
    let text = ExceptionLayer::new().with_renderer(Text);
    let received = serve_failing(text, Exit::Returned, invalid)
        .await
        .get("/")
        .await;
    let expected = format!("422 Unprocessable Entity\n{}\n", LINES.join("\n"));
    assert_eq!(received.text(), expected);

    let html = ExceptionLayer::new().with_renderer(Html::new());
    let received = serve_failing(html, Exit::Returned, invalid)
        .await
        .get("/")
        .await;
    let page = scraper::Html::parse_document(received.text());
    let items = scraper::Selector::parse("main > ul > li").unwrap();
    let shown: Vec<String> = page
        .select(&items)
        .map(|item| item.text().collect())
        .collect();
    assert_eq!(shown, LINES);
    assert!(page.errors.is_empty(), "{:?}", page.errors);
}

#[tokio::test]
async fn a_page_of_the_user_has_the_faults() {
    let page = |page: &Page<'_>| page.faults.iter().map(|it| it.pointer() + ";").collect();
    let html = ExceptionLayer::new().with_renderer(Html::new().with_page(page));
    let received = serve_failing(html, Exit::Returned, invalid)
        .await
        .get("/")
        .await;
    assert_eq!(
        received.text(),
        "/items/3/price;/a~1b;;/page;/item_id;/x-count;"
    );
}

#[tokio::test]
async fn the_reason_of_a_close_frame_is_no_json() {
    let closing = ExceptionLayer::new().with_websockets(WebSockets::new().close_http_exceptions());
    let app = Router::new()
        .route("/", any(async || Err::<(), _>(invalid())))
        .layer(closing);
    let server = Server::start_axum(app).await;
    let mut client = connect(server.address(), "/").await;
    let (code, reason) = closed(&mut client).await;
    assert_eq!(code, 4422);
    let expected = "items[3].price: must be positive; a/b: Field required; body: <b>is empty</b>; ";
    assert!(reason.starts_with(expected), "{reason}");
    assert!(reason.len() <= 123);
}

#[test]
fn debug_shows_no_value_that_was_refused() {
    let fault = Fault::new("is too short")
        .try_with_input("hunter2")
        .unwrap();
    let exception = HttpException::invalid().at("/password", fault);
    let shown = format!("{exception:?}");
    assert!(
        shown.contains("/password") && shown.contains("is too short"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(exception.faults()[0].input().unwrap().get(), r#""hunter2""#);
}

/// A list that is written again for each fault would take minutes.
#[test]
fn a_hundred_thousand_faults_are_written_once() {
    let exception = (0..100_000).fold(HttpException::invalid(), |exception, index| {
        exception.at(format!("/items/{index}"), "must be positive")
    });
    let text = exception.detail_or_reason().to_string();
    let list: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(list.len(), 100_000);
    assert_eq!(list[99_999]["loc"], json!(["body", "items", 99_999]));
}
