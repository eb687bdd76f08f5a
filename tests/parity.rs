//! Replays what FastAPI answered (`parity/cases.json`) to the apps of `examples/parity.rs`: over real
//! sockets, in both stacks, over HTTP/1.1 and HTTP/2, for every way of raising.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    panic,
    sync::Once,
};

use http::Method;
use tokio::net::TcpListener;
use tower_exception::{Custom, Exception, ExceptionLayer};

#[path = "parity/answer.rs"]
mod answer;
#[path = "parity/case.rs"]
mod case;
#[path = "parity/client.rs"]
mod client;
#[path = "../examples/parity/stack.rs"]
mod stack;
#[path = "parity/websocket.rs"]
mod websocket;

use client::{Client, Protocol};
use stack::Stack;
use websocket::WebSocketClient;

/// The two apps, by their names in the file.
#[derive(Clone, Copy, Debug)]
enum App {
    /// Without handlers.
    App,
    Custom,
}

impl App {
    fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Custom => "custom",
        }
    }

    fn layer(self) -> ExceptionLayer<Custom> {
        match self {
            Self::App => stack::without_handlers(),
            Self::Custom => stack::with_handlers(),
        }
    }

    /// How many `http` cases it has, and how many of these go to `/raise`.
    fn cases(self) -> (usize, usize) {
        match self {
            Self::App => (98, 91),
            Self::Custom => (10, 4),
        }
    }

    /// How many `websocket` cases it has, and how many of these go to where something may be thrown in many ways.
    fn websocket_cases(self) -> (usize, usize) {
        match self {
            Self::App => (35, 32),
            Self::Custom => (3, 3),
        }
    }
}

/// The queries of the routes that throw in many ways: none, which is the first way, then every way by its name.
const WAYS: [&str; 6] = [
    "",
    "via=returned",
    "via=attached",
    "via=raised",
    "via=panicked",
    "via=raised_async",
];

/// `path` with one more query.
fn with_query(path: &str, query: &str) -> String {
    match (query, path.contains('?')) {
        ("", _) => path.to_owned(),
        (_, false) => format!("{path}?{query}"),
        (_, true) => format!("{path}&{query}"),
    }
}

#[tokio::test]
async fn axum_over_http1() {
    replay(Stack::Axum, App::App, Protocol::Http1).await;
    replay(Stack::Axum, App::Custom, Protocol::Http1).await;
}

#[tokio::test]
async fn axum_over_http2() {
    replay(Stack::Axum, App::App, Protocol::Http2).await;
    replay(Stack::Axum, App::Custom, Protocol::Http2).await;
}

#[tokio::test]
async fn hyper_over_http1() {
    replay(Stack::Hyper, App::App, Protocol::Http1).await;
    replay(Stack::Hyper, App::Custom, Protocol::Http1).await;
}

#[tokio::test]
async fn hyper_over_http2() {
    replay(Stack::Hyper, App::App, Protocol::Http2).await;
    replay(Stack::Hyper, App::Custom, Protocol::Http2).await;
}

async fn replay(stack: Stack, app: App, protocol: Protocol) {
    // One connection for all: it must be usable after every answer.
    let mut client = Client::connect(protocol, serve(stack, app).await)
        .await
        .unwrap();
    let mut exchanges = 0;
    let mut mismatches = Vec::new();

    for case in case::http_cases_of(app.name()) {
        let request = &case.request;
        let method = request.method();
        let ways = match request.path.as_str() {
            "/raise" => &WAYS[..],
            _ => &[""],
        };
        for way in ways {
            exchanges += 1;
            let path = with_query(&request.path, way);
            let json = request.json.as_deref().map(|raw| raw.get());
            let got = client
                .send(method.clone(), &path, &request.headers, json)
                .await;
            let expected = case.expected();
            let got = match got {
                Ok(got) if got.matches(expected, &method) => continue,
                Ok(got) => got.to_string(),
                Err(error) => format!("no answer: {error}"),
            };
            mismatches.push(format!(
                "{} ({stack:?}, {app:?}, {protocol:?}, {path})\n  expected {expected}\n  got      {got}",
                case.name,
            ));
        }
    }

    assert!(
        mismatches.is_empty(),
        "{} of {exchanges} answers differ:\n{}",
        mismatches.len(),
        mismatches.join("\n"),
    );
    let (cases, raising) = app.cases();
    assert_eq!(exchanges, raising * WAYS.len() + (cases - raising));
}

#[tokio::test]
async fn axum_websockets_over_http1() {
    replay_websockets(Stack::Axum, App::App, Protocol::Http1).await;
    replay_websockets(Stack::Axum, App::Custom, Protocol::Http1).await;
}

#[tokio::test]
async fn axum_websockets_over_http2() {
    replay_websockets(Stack::Axum, App::App, Protocol::Http2).await;
    replay_websockets(Stack::Axum, App::Custom, Protocol::Http2).await;
}

#[tokio::test]
async fn hyper_websockets_over_http1() {
    replay_websockets(Stack::Hyper, App::App, Protocol::Http1).await;
    replay_websockets(Stack::Hyper, App::Custom, Protocol::Http1).await;
}

#[tokio::test]
async fn hyper_websockets_over_http2() {
    replay_websockets(Stack::Hyper, App::App, Protocol::Http2).await;
    replay_websockets(Stack::Hyper, App::Custom, Protocol::Http2).await;
}

async fn replay_websockets(stack: Stack, app: App, protocol: Protocol) {
    let mut client = WebSocketClient::connect(protocol, serve(stack, app).await)
        .await
        .unwrap();
    let mut conversations = 0;
    let mut mismatches = Vec::new();

    for case in case::websocket_cases_of(app.name()) {
        let request = &case.request;
        let ways = match request.path.split('?').next() {
            Some("/ws/error-before" | "/ws/return" | "/ws/nope") => &[""],
            _ => &WAYS[..],
        };
        for way in ways {
            conversations += 1;
            let path = with_query(&request.path, way);
            let expected = case.expected();
            let got = match client.converse(&path, &request.send).await {
                Ok(got) if got.matches(expected) => continue,
                Ok(got) => got.to_string(),
                Err(error) => format!("no clean end: {error}"),
            };
            mismatches.push(format!(
                "{} ({stack:?}, {app:?}, {protocol:?}, {path})\n  expected {expected}\n  got      {got}",
                case.name,
            ));
        }
    }

    assert!(
        mismatches.is_empty(),
        "{} of {conversations} WebSockets end otherwise:\n{}",
        mismatches.len(),
        mismatches.join("\n"),
    );
    let (cases, throwing) = app.websocket_cases();
    assert_eq!(conversations, throwing * WAYS.len() + (cases - throwing));
}

/// No case has a `HEAD` that succeeds, or one of an exception that `GET` gets as well.
#[tokio::test]
async fn head_is_get_without_the_body() {
    for (stack, app) in [
        (Stack::Axum, App::App),
        (Stack::Axum, App::Custom),
        (Stack::Hyper, App::App),
        (Stack::Hyper, App::Custom),
    ] {
        let address = serve(stack, app).await;
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut client = Client::connect(protocol, address).await.unwrap();
            for path in [
                "/error",
                "/base",
                "/derived",
                "/only-get",
                "/dependency",
                "/nope",
            ] {
                let none = BTreeMap::new();
                let get = client.send(Method::GET, path, &none, None);
                let mut get = get.await.unwrap();
                let head = client.send(Method::HEAD, path, &none, None);
                let head = head.await.unwrap();
                if app.name() == "custom" && path == "/nope" {
                    // Its text names the method, which is one letter longer.
                    assert_eq!(head.status, get.status);
                    continue;
                }
                assert_ne!(get.body, "");
                get.body.clear();
                assert_eq!(head, get, "{stack:?}, {app:?}, {protocol:?}, {path}");
            }
        }
    }
}

/// No case asks the WebSocket routes for anything else.
#[tokio::test]
async fn a_plain_request_is_told_to_upgrade() {
    let [axum, hyper] = [
        serve(Stack::Axum, App::App).await,
        serve(Stack::Hyper, App::App).await,
    ];
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut axum = Client::connect(protocol, axum).await.unwrap();
        let mut hyper = Client::connect(protocol, hyper).await.unwrap();
        for path in [
            "/ws/before",
            "/ws/after",
            "/ws/http-before",
            "/ws/error-after",
            "/ws/return",
        ] {
            let none = BTreeMap::new();
            let axum = axum.send(Method::GET, path, &none, None).await.unwrap();
            let hyper = hyper.send(Method::GET, path, &none, None).await.unwrap();
            assert_eq!(axum.status, 426, "{protocol:?}, {path}");
            assert_eq!(axum, hyper, "{protocol:?}, {path}");
        }
    }
}

async fn serve(stack: Stack, app: App) -> SocketAddr {
    keep_the_panics_of_exceptions_quiet();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(stack.serve(listener, app.layer()));
    address
}

/// `?via=panicked` runs the panic hook: hundreds of messages would bury the mismatches.
fn keep_the_panics_of_exceptions_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !panic.payload().is::<Exception>() {
                hook(panic);
            }
        }));
    });
}
