//! async-graphql 7, on axum's server.

use std::{io, net::SocketAddr};

use async_graphql::{EmptyMutation, Object, Schema, Subscription};
use async_graphql_axum::{GraphQL, GraphQLSubscription};
use axum::{Router, body::Bytes, routing::any_service};
use futures_util::{SinkExt as _, Stream, StreamExt as _, stream};
use http::{HeaderValue, Request, header::SEC_WEBSOCKET_PROTOCOL};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};
use tower_exception::{CloseCode, ExceptionLayer, WebSocketException, WebSockets, prelude::*};

use crate::shared::{configured, not_found};

struct Query;

#[Object]
impl Query {
    async fn item(&self) -> &str {
        "plumbus"
    }

    async fn returns(&self) -> async_graphql::Result<&str> {
        Err(not_found())?
    }

    async fn raises(&self) -> &str {
        fails();
        "plumbus"
    }

    async fn raises_async(&self) -> &str {
        tokio::task::yield_now().await;
        not_found().raise_async().await
    }

    async fn raises_error(&self) -> &str {
        fails_with_secret();
        "plumbus"
    }

    async fn panics(&self) -> &str {
        panics();
        "plumbus"
    }
}

fn fails() {
    not_found().raise()
}

fn fails_with_secret() {
    io::Error::other("the password is hunter2").raise()
}

fn panics() {
    panic!("the password is hunter2")
}

struct Updates;

#[Subscription]
impl Updates {
    /// Yields one number, and expels the member.
    async fn numbers(&self) -> impl Stream<Item = u32> {
        stream::iter([1, 2]).then(async |number| {
            tokio::task::yield_now().await;
            if number == 2 {
                let expelled = WebSocketException::new(CloseCode::POLICY_VIOLATION);
                expelled.with_reason("expelled").raise();
            }
            number
        })
    }

    /// Yields one number, and panics.
    async fn panics(&self) -> impl Stream<Item = u32> {
        stream::iter([1, 2]).then(async |number| {
            tokio::task::yield_now().await;
            assert_eq!(number, 1, "the password is hunter2");
            number
        })
    }
}

fn routes() -> Router {
    let schema = Schema::new(Query, EmptyMutation, Updates);
    Router::new()
        .route("/", any_service(GraphQL::new(schema.clone())))
        .route("/updates", any_service(GraphQLSubscription::new(schema)))
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// Sends `body` as a request of GraphQL, and returns the status and the response.
async fn post(address: SocketAddr, body: Value) -> (u16, Value) {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = http1::handshake::<_, Full<Bytes>>(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("/").header("host", "test");
    let request = request.header("content-type", "application/json");
    let request = request.body(Full::from(body.to_string())).unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status.as_u16(), serde_json::from_slice(&body).unwrap())
}

async fn query(address: SocketAddr, query: &str) -> (u16, Value) {
    post(address, json!({ "query": query })).await
}

#[tokio::test]
async fn a_resolver_raises_and_panics_below_the_layer() {
    let address = serve(routes().layer(ExceptionLayer::new())).await;
    let not_found = json!({ "detail": "Item not found" });
    for field in [
        "{ raises }",
        "{ raisesAsync }",
        "{ item raises }",
        "{ raisesAsync item }",
    ] {
        assert_eq!(
            query(address, field).await,
            (404, not_found.clone()),
            "{field}"
        );
    }
    let error = json!({ "detail": "Internal Server Error" });
    for field in ["{ raisesError }", "{ panics }"] {
        assert_eq!(query(address, field).await, (500, error.clone()), "{field}");
    }
    let batch = json!([{ "query": "{ item }" }, { "query": "{ raises }" }]);
    assert_eq!(post(address, batch).await, (404, not_found));
}

#[tokio::test]
async fn handlers_reply_to_a_resolver() {
    let address = serve(routes().layer(configured())).await;
    for field in ["{ raises }", "{ raisesAsync }"] {
        let received = query(address, field).await;
        assert_eq!(received, (410, json!({ "detail": "/" })), "{field}");
    }
    let received = query(address, "{ panics }").await;
    assert_eq!(received, (503, json!({ "detail": "we are on it" })));
}

/// An error of GraphQL is a part of a response with the status 200, and has the error's text.
#[tokio::test]
async fn an_error_that_a_resolver_returns_is_one_of_graphql() {
    let address = serve(routes().layer(ExceptionLayer::new())).await;
    let (status, response) = query(address, "{ returns }").await;
    assert_eq!(
        (status, &response["errors"][0]["message"]),
        (200, &json!("404: Item not found"))
    );
}

#[tokio::test]
async fn nothing_changes_if_nothing_is_raised() {
    let bare = serve(routes()).await;
    let below = serve(routes().layer(ExceptionLayer::new())).await;
    for field in ["{ item }", "{ returns }", "{ unknown }", "{ item"] {
        assert_eq!(
            query(bare, field).await,
            query(below, field).await,
            "{field}"
        );
    }
    let batch = json!([{ "query": "{ item }" }, { "query": "{ returns }" }]);
    assert_eq!(post(bare, batch.clone()).await, post(below, batch).await);
}

/// Subscribes, and returns the messages up to the close frame.
async fn subscribe(address: SocketAddr, field: &str) -> Vec<Message> {
    let mut request = format!("ws://{address}/updates")
        .into_client_request()
        .unwrap();
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request
        .headers_mut()
        .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    let (mut socket, _) = connect_async(request).await.unwrap();
    let subscribe = json!({
        "type": "subscribe", "id": "1", "payload": { "query": format!("subscription {{ {field} }}") },
    });
    for message in [json!({ "type": "connection_init" }), subscribe] {
        socket
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }
    let mut messages = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        messages.push(message);
    }
    messages
}

#[tokio::test]
async fn a_subscription_that_fails_closes_its_websocket() {
    let layer = ExceptionLayer::new().with_websockets(WebSockets::new());
    let address = serve(routes().layer(layer)).await;
    for (field, close) in [("numbers", (1008, "expelled")), ("panics", (1011, ""))] {
        let messages = subscribe(address, field).await;
        let [ack, next, Message::Close(Some(frame))] = &messages[..] else {
            panic!("{field}: {messages:?}");
        };
        assert!(ack.to_string().contains("connection_ack"), "{ack}");
        assert!(next.to_string().contains(r#"{"data""#), "{next}");
        assert_eq!(
            (u16::from(frame.code), frame.reason.as_str()),
            close,
            "{field}"
        );
    }
}
