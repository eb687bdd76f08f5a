//! Replies that say no status, and handlers that fail with an error of their own.

use axum::{
    Json, Router,
    response::{Html, Response},
    routing::get,
};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Serialize;
use tokio::sync::mpsc;
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, Outcome, Reply, Result, config::Configured,
};

use crate::{
    shop::{OrderError, ShopError, disk, elapsed, returning, sold_out, taken},
    support::{PLAIN_500, PLAIN_504, PROTOCOLS, Server, observed, request, within},
};

#[derive(Serialize)]
struct Oops {
    oops: &'static str,
}

fn oops() -> Json<Oops> {
    Json(Oops { oops: "a" })
}

fn denied() -> HttpException {
    HttpException::forbidden("not you")
}

fn routes() -> Router {
    Router::new()
        .route("/own", returning(sold_out))
        .route("/late", returning(elapsed))
        .route("/taken", returning(taken))
        .route("/panic", get(async || -> () { std::panic::panic_any(()) }))
}

fn on_any<R, M>(handler: R) -> ExceptionLayer<Configured>
where
    R: tower_exception::Handler<dyn std::error::Error + Send + Sync, M>,
{
    ExceptionLayer::new().on_any(handler)
}

/// Paths of [`routes`], and the statuses that their failures have by default.
const DEFAULTS: [(&str, u16); 4] = [
    ("/own", 500),
    ("/late", 504),
    ("/taken", 409),
    ("/panic", 500),
];

// E15
#[tokio::test]
async fn a_reply_that_says_no_status_has_the_failures_own() {
    type Replied = Result<Json<Oops>, HttpException>;
    let json = r#"{"oops":"a"}"#;
    for (name, layer, body) in [
        ("&str", on_any(|_: Caught| "sorry"), "sorry"),
        ("String", on_any(|_: Caught| String::from("sorry")), "sorry"),
        ("Bytes", on_any(|_: Caught| Bytes::from("sorry")), "sorry"),
        ("Vec", on_any(|_: Caught| b"sorry".to_vec()), "sorry"),
        ("Json", on_any(|_: Caught| oops()), json),
        ("Html", on_any(|_: Caught| Html("sorry")), "sorry"),
        (
            "Result",
            on_any(|_: Caught| -> Replied { Ok(oops()) }),
            json,
        ),
        ("async", on_any(async |_: Caught| "sorry"), "sorry"),
        (
            "async Result",
            on_any(async |_: Caught| -> Replied { Ok(oops()) }),
            json,
        ),
        (
            "Error",
            on_any(|_: Caught| -> Result<&'static str> { Ok("sorry") }),
            "sorry",
        ),
    ] {
        let (layer, mut reports) = observed(layer);
        for app in [
            routes().layer(layer.clone()),
            routes().layer(ExceptionLayer::new()).layer(layer),
        ] {
            let server = Server::start_axum(app).await;
            for protocol in PROTOCOLS {
                for (path, status) in DEFAULTS {
                    let mut client = server.connect(protocol).await;
                    let received = client.exchange(request(Method::GET, path)).await.unwrap();
                    assert_eq!(received.status, status, "{name} {path}");
                    assert_eq!(received.text(), body, "{name} {path}");
                    let head = client.exchange(request(Method::HEAD, path)).await.unwrap();
                    assert_eq!(head.status, status, "{name} HEAD {path}");
                    let length = head.header("content-length").map(str::to_owned);
                    assert_eq!(length, Some(body.len().to_string()), "{name} HEAD {path}");
                    let status = Outcome::Status(received.status);
                    for report in reports.take() {
                        assert_eq!(report.outcome, status, "{name} {path}");
                    }
                }
            }
        }
    }
}

// E15
#[tokio::test]
async fn a_reply_that_says_its_status_keeps_it() {
    for (name, layer, status) in [
        ("tuple", on_any(|_: Caught| (StatusCode::OK, "fine")), 200),
        (
            "created",
            on_any(|_: Caught| (StatusCode::CREATED, Html("fine"))),
            201,
        ),
        (
            "json",
            on_any(|_: Caught| (StatusCode::OK, Json("fine"))),
            200,
        ),
        (
            "response",
            on_any(|_: Caught| Response::new("fine".to_owned())),
            200,
        ),
        (
            "async",
            on_any(async |_: Caught| (StatusCode::OK, "fine")),
            200,
        ),
        (
            "reply",
            on_any(|_: Caught| Reply::from(http::Response::new(fine()))),
            200,
        ),
        ("headers", on_any(|_: Caught| ([("x-a", "b")], "fine")), 200),
    ] {
        let server = Server::start_axum(routes().layer(layer)).await;
        for (path, _) in DEFAULTS {
            let received = server.get(path).await;
            assert_eq!(received.status, status, "{name} {path}");
            assert!(received.text().contains("fine"), "{name} {path}");
            assert_eq!(server.head(path).await.status, status, "{name} {path}");
        }
    }
}

fn fine() -> http_body_util::Full<Bytes> {
    http_body_util::Full::from("fine")
}

type Failing = ExceptionLayer<Configured>;

fn failing() -> [(&'static str, Failing); 5] {
    [
        ("Error", on_any(|_: Caught| Error::from(disk()))),
        ("async", on_any(async |_: Caught| Error::from(disk()))),
        ("Result", on_any(|_: Caught| -> Result<()> { Err(disk())? })),
        (
            "Json",
            on_any(async |_: Caught| -> Result<Json<u8>> { Err(disk())? }),
        ),
        (
            "Reply",
            on_any(|_: Caught| Reply::from(Error::from(disk()))),
        ),
    ]
}

#[tokio::test]
async fn a_handler_that_fails_with_an_error_says_nothing_and_both_are_reported() {
    for (name, layer) in failing() {
        let (layer, mut reports) = observed(layer);
        let server = Server::start_axum(routes().layer(layer)).await;
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            assert_eq!(client.get("/own").await, PLAIN_500, "{name}");
            let text = crate::support::SECRET_TEXT;
            assert_eq!(
                reports.take(),
                [
                    format!("Returned Handling Status(500): {text}"),
                    "Attached Future Status(500): plumbus is sold out".to_owned(),
                ],
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn a_handler_may_reply_an_error_that_is_known() {
    for (layer, expected) in [
        (
            on_any(|_: Caught| Error::from(denied())),
            r#"403 | content-length: 20 | content-type: application/json | {"detail":"not you"}"#,
        ),
        (
            on_any(async |_: Caught| -> Result<&'static str> { Err(denied())? }),
            r#"403 | content-length: 20 | content-type: application/json | {"detail":"not you"}"#,
        ),
        (
            on_any(|_: Caught| Error::from(OrderError(denied().into()))),
            r#"403 | content-length: 20 | content-type: application/json | {"detail":"not you"}"#,
        ),
        (on_any(|_: Caught| Error::from(elapsed())), PLAIN_504),
        (
            on_any(async |_: Caught| -> Result<()> { Err(elapsed())? }),
            PLAIN_504,
        ),
    ] {
        let server = Server::start_axum(routes().layer(layer)).await;
        assert_eq!(server.get("/own").await.to_string(), expected);
    }
}

/// The response that carries the failure is held back until the handler has replied.
#[tokio::test]
async fn a_client_that_leaves_during_a_handler_is_reported_once() {
    let (entered, mut entries) = mpsc::unbounded_channel();
    let layer = ExceptionLayer::new().on(move |_: Caught<ShopError>| {
        entered.send(()).unwrap();
        std::future::pending::<HttpException>()
    });
    let (inner, mut of_inner) = observed(ExceptionLayer::new());
    let (layer, mut reports) = observed(layer);
    for app in [
        routes().layer(layer.clone()),
        routes().layer(inner).layer(layer),
    ] {
        let server = Server::start_axum(app).await;
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            let leave = async {
                within(entries.recv()).await.unwrap();
            };
            tokio::select! {
                _ = client.send(request(Method::GET, "/own")) => panic!("no handler has replied"),
                () = leave => {}
            }
            drop(client);
            let report = reports.next().await;
            assert_eq!(report, "Attached Future Aborted: plumbus is sold out");
            reports.assert_none();
        }
    }
    // The inner layer is in the second app only.
    assert_eq!(
        of_inner.take(),
        ["Attached Future Aborted: plumbus is sold out"; 2]
    );
}
