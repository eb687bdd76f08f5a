//! `examples/forms`: the same error for each kind of client.

use http::{HeaderValue, Method};
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::{
    main_of_example::{
        app,
        shop::{ItemId, shop_client::ShopClient},
    },
    support::{PROTOCOLS, Received, Server, problem_document::problem_in, request},
};

/// The `Accept` header of Chromium when a link is followed.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,\
    image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";

/// The `Accept` header of curl.
const CURL: &str = "*/*";

async fn ask(server: &Server, path: &str, accept: &'static str) -> Received {
    let mut request = request(Method::GET, path);
    let accept = HeaderValue::from_static(accept);
    request.headers_mut().insert("accept", accept);
    server.send(request).await
}

#[tokio::test]
async fn one_exception_has_the_form_that_each_client_reads() {
    let server = Server::start_axum(app()).await;
    let received = ask(&server, "/items/7", CURL).await;
    assert_eq!(received.status, 409);
    let mut problem = problem_in(&received);
    let id = problem["error_id"].take();
    assert_eq!(received.header("x-request-id"), id.as_str());
    let expected = json!({
        "type": "https://shop.example/problems/sold-out",
        "title": "Sold out",
        "status": 409,
        "detail": "plumbus 7 is sold out",
        "instance": "/items/7",
        "code": "sold-out",
        "retry_after": 3600,
        "alternatives": [1],
        "error_id": null,
    });
    assert_eq!(problem, expected);

    let received = ask(&server, "/items/7", BROWSER).await;
    assert_eq!(
        received.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    for text in [
        "<h1>Sold out</h1>",
        "plumbus 7 is sold out",
        received.header("x-request-id").unwrap(),
    ] {
        assert!(
            received.text().contains(text),
            "{text}: {}",
            received.text()
        );
    }
    let received = ask(&server, "/items/7", "text/plain").await;
    assert!(
        received
            .text()
            .starts_with("409 Conflict: plumbus 7 is sold out\nerror id: ")
    );

    let address = format!("http://{}", server.address());
    let mut client = ShopClient::connect(address).await.unwrap();
    let status = client.get_item(ItemId { id: 7 }).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Aborted, "plumbus 7 is sold out")
    );
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!((&*info.reason, &*info.domain), ("SOLD_OUT", "shop.example"));
    assert_eq!(details.help().unwrap().links[0].url, expected["type"]);
    assert_eq!(
        details.retry_info().unwrap().retry_delay.unwrap().as_secs(),
        3600
    );
    let id = &details.request_info().unwrap().request_id;
    assert_eq!(status.metadata().get("x-request-id").unwrap(), &**id);
}

#[tokio::test]
async fn every_address_of_the_page_has_a_problem_document_for_programs() {
    let server = Server::start_axum(app()).await;
    for (path, status, detail) in [
        ("/items/8", 404, Some("there is no plumbus 8")),
        ("/items/13", 500, None),
        ("/nowhere", 404, None),
        ("/orders", 405, None),
    ] {
        let received = ask(&server, path, CURL).await;
        assert_eq!(received.status, status, "{path}");
        let problem = problem_in(&received);
        assert_eq!(
            problem.get("detail").and_then(Value::as_str),
            detail,
            "{path}"
        );
        assert_eq!(problem["instance"], path);
        assert!(!received.text().contains("shelf"));
    }
    let item = ask(&server, "/items/1", CURL).await;
    assert_eq!(
        (item.status.as_u16(), item.text()),
        (200, r#"{"id":1,"name":"plumbus"}"#)
    );
    let page = ask(&server, "/", BROWSER).await;
    assert!(page.text().contains("The plumbus shop"));
}

#[tokio::test]
async fn an_order_has_all_its_faults() {
    let server = Server::start_axum(app()).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for (body, status, pointers) in [
            (
                r#"{"customer":"","quantity":0}"#,
                422,
                &["#/customer", "#/quantity"][..],
            ),
            (r#"{"customer":"Ann","quantity":-1}"#, 422, &["#/quantity"]),
            (r#"{"customer":"Ann"}"#, 422, &["#/quantity"]),
            ("{", 422, &["#"]),
        ] {
            let mut order = request(Method::POST, "/orders").map(|_| body.into());
            let json = HeaderValue::from_static("application/json");
            order.headers_mut().insert("content-type", json);
            let received = client.exchange(order).await.unwrap();
            assert_eq!(received.status, status);
            let problem = problem_in(&received);
            let faults = problem["errors"].as_array().unwrap().iter();
            let found: Vec<_> = faults.map(|it| it["pointer"].as_str().unwrap()).collect();
            assert_eq!(found, pointers, "{body}");
        }
    }
}
