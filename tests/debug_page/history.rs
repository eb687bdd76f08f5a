//! The last failures, of every protocol.

use axum::{
    Router,
    body::Body,
    extract::ws::WebSocketUpgrade,
    routing::{any, get, post},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tower_exception::{ExceptionLayer, HttpException, WebSockets};

use crate::{
    Parsed, browser, example, page_for_tests,
    support::{Received, Server, first_then, request, websocket, within},
    with_headers,
};

async fn ends_early() -> Body {
    Body::new(first_then(|| Err("the disk is gone".into())))
}

async fn closes(upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.on_upgrade(async |mut socket| {
        socket.recv().await;
        panic!("no such message")
    })
}

async fn serve() -> Server {
    let page = page_for_tests();
    let app = Router::new()
        .route(
            "/item/{id}",
            get(async || HttpException::not_found("no item")),
        )
        .route("/early", get(ends_early))
        .route("/socket", any(closes))
        .route(
            "/shop.Stock/Count",
            post(async || HttpException::gone("sold").raise_async::<()>().await),
        )
        .layer(
            ExceptionLayer::new()
                .with_websockets(WebSockets::new())
                .with_debug_page(page.clone()),
        )
        .layer(page.history_layer("failures/"));
    Server::start_axum(app).await
}

/// Returns the list as JSON, the last failure first.
async fn list(server: &Server) -> Vec<Value> {
    let received = server
        .send(with_headers("/failures", &[("accept", "application/json")]))
        .await;
    let mut body: Value = serde_json::from_slice(&received.body).unwrap();
    match body["failures"].take() {
        Value::Array(failures) => failures,
        other => panic!("{other}"),
    }
}

/// Returns what the list says of each failure: the outcome, the phase, the text, the target.
async fn summaries(server: &Server) -> Vec<String> {
    let summary = |it: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let parts = [
            &it["outcome"],
            &it["phase"],
            &it["chain"][0]["text"],
            &it["request"]["target"],
        ];
        parts.map(text).join("; ")
    };
    list(server).await.iter().map(summary).collect()
}

fn grpc_request() -> http::Request<Full<Bytes>> {
    let mut request = request(Method::POST, "/shop.Stock/Count");
    let headers = request.headers_mut();
    headers.insert("content-type", "application/grpc".parse().unwrap());
    headers.insert("te", "trailers".parse().unwrap());
    request
}

#[tokio::test]
async fn a_failure_of_every_protocol_is_in_the_list() {
    let server = serve().await;
    server.get("/item/2?token=1").await;
    let aborted = server.get("/early").await;
    assert!(aborted.aborted);
    let status = server.send(grpc_request()).await;
    assert_eq!(status.header("grpc-status"), Some("5"));
    let mut socket = websocket::connect(server.address(), "/socket").await;
    within(socket.send(Message::text("?"))).await.unwrap();
    let closed = within(socket.next()).await.unwrap().unwrap();
    assert!(matches!(closed, Message::Close(Some(frame)) if frame.code == 1011.into()));

    assert_eq!(
        summaries(&server).await,
        [
            "closed with 1011; in the task of a WebSocket; no such message; /socket",
            "gRPC NOT_FOUND; in the future of the service; 410: sold; /shop.Stock/Count",
            "cut short; in the response body; the disk is gone; /early",
            "404 Not Found; in the future of the service; 404: no item; /item/2?token=•••",
        ]
    );
    let page = Parsed::of(&server.send(browser("/failures")).await);
    assert_eq!(
        page.texts(".list .badge"),
        [
            "closed with 1011",
            "gRPC NOT_FOUND",
            "cut short",
            "404 Not Found"
        ]
    );
    assert_eq!(page.attributes("a.row", "href")[0], "/failures/4");
    let failure = Parsed::of(&server.send(browser("/failures/4")).await);
    assert_eq!(failure.text("h1"), "no such message");
    assert_eq!(failure.attributes(".bar a", "href"), ["/failures"]);
}

#[tokio::test]
async fn a_page_links_to_the_list() {
    let server = serve().await;
    let page = Parsed::of(&server.send(browser("/item/2")).await);
    assert_eq!(page.attributes(".bar a", "href"), ["/failures"]);
    let empty = serve().await.send(browser("/failures/")).await;
    assert!(
        Parsed::of(&empty)
            .text(".hint")
            .contains("Nothing has failed yet.")
    );
}

#[tokio::test]
async fn the_list_has_the_last_hundred_failures() {
    let server = serve().await;
    let mut client = server.connect(crate::support::Protocol::Http1).await;
    for number in 1..=103 {
        client.get(&format!("/item/{number}")).await;
    }
    let failures = list(&server).await;
    assert_eq!(failures.len(), 100);
    assert_eq!(failures[0]["number"], 103);
    assert_eq!(failures[0]["request"]["target"], "/item/103");
    assert_eq!(failures[99]["number"], 4);
    assert_eq!(server.send(browser("/failures/3")).await.status, 404);
    assert_eq!(server.send(browser("/failures/4")).await.status, 200);
}

#[tokio::test]
async fn the_list_has_the_form_that_a_client_accepts() {
    let server = serve().await;
    server.get("/item/2").await;
    for path in ["/failures", "/failures/1"] {
        let markdown = server
            .send(with_headers(path, &[("accept", "text/markdown")]))
            .await;
        assert_eq!(
            markdown.header("content-type"),
            Some("text/markdown; charset=utf-8")
        );
        assert!(
            markdown
                .text()
                .starts_with("# 404 Not Found: GET `/item/2`\n"),
            "{markdown}"
        );
        let json = server
            .send(with_headers(path, &[("accept", "application/json")]))
            .await;
        assert_eq!(json.header("content-type"), Some("application/json"));
        assert_eq!(json.header("cache-control"), Some("no-store"));
        let page = server.send(browser(path)).await;
        assert!(
            page.header("content-security-policy")
                .unwrap()
                .contains("default-src 'none'")
        );
    }
    let one = server
        .send(with_headers(
            "/failures/1",
            &[("accept", "application/json")],
        ))
        .await;
    let one: Value = serde_json::from_slice(&one.body).unwrap();
    assert_eq!(one["chain"][0]["text"], json!("404: no item"));
}

#[tokio::test]
async fn other_requests_reach_the_service() {
    let server = serve().await;
    for (method, path) in [
        (Method::POST, "/failures"),
        (Method::GET, "/failures2"),
        (Method::GET, "/failures/x"),
        (Method::GET, "/failures/1/2"),
    ] {
        let received: Received = server.send(request(method.clone(), path)).await;
        // axum's own 404, which is not adopted.
        assert_eq!(
            (received.status.as_u16(), received.text()),
            (404, ""),
            "{method} {path}"
        );
    }
    let head = server.head("/failures").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test]
async fn the_example_shows_each_of_its_failures() {
    let server = Server::start_axum(example::app(&page_for_tests())).await;
    let index = server.get("/").await;
    for (path, status, text) in [
        (
            "/checkout/2?coupon=SUMMER",
            500,
            "attempt to divide by zero",
        ),
        ("/orders/7", 500, "load the order"),
        ("/items/portal", 404, "there is no portal"),
        ("/admin/nowhere", 404, "Not Found"),
        ("/report", 422, "The quick brown fox"),
    ] {
        assert!(index.text().contains(&format!("href=\"{path}\"")), "{path}");
        let received = server.send(browser(path)).await;
        assert_eq!(received.status, status, "{path}");
        let headline = Parsed::of(&received).text("h1");
        assert!(headline.starts_with(text), "{path}: {headline}");
    }
    assert_eq!(server.get("/items/plumbus").await.text(), "plumbus");
    assert_eq!(list(&server).await.len(), 5);
}
