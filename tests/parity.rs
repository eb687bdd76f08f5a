//! Parity with FastAPI: the apps of `examples/parity.rs` give the recorded responses of FastAPI
//! (`parity/cases.json`).
//!
//! The cases are replayed over real sockets, in both stacks, over HTTP/1.1 and HTTP/2, for every
//! mechanism of failing.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    panic,
    sync::Once,
};

use http::Method;
use tokio::net::TcpListener;
use tower_exception::{Exception, ExceptionLayer, config::Configured};

#[path = "parity/case.rs"]
mod case;
#[path = "parity/client.rs"]
mod client;
#[path = "parity/forms.rs"]
mod forms;
#[path = "../examples/quickstart.rs"]
#[allow(dead_code, reason = "only the app is served")]
mod quickstart;
#[path = "parity/response.rs"]
mod response;
#[path = "parity/snippets.rs"]
mod snippets;
#[path = "../examples/parity/stack.rs"]
mod stack;
#[path = "parity/tutorial.rs"]
mod tutorial;
#[path = "parity/websocket.rs"]
mod websocket;

use client::{Client, Protocol};
use stack::Stack;
use websocket::WebSocketClient;

/// One of the two apps. The file names them.
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

    fn layer(self) -> ExceptionLayer<Configured> {
        match self {
            Self::App => stack::without_handlers(),
            Self::Custom => stack::with_handlers(),
        }
    }

    /// Returns the number of `http` cases, and the number of those for `/raise`.
    fn cases(self) -> (usize, usize) {
        match self {
            Self::App => (98, 91),
            Self::Custom => (10, 4),
        }
    }

    /// Returns the number of `websocket` cases, and the number of those for routes with all
    /// mechanisms.
    fn websocket_cases(self) -> (usize, usize) {
        match self {
            Self::App => (35, 32),
            Self::Custom => (3, 3),
        }
    }
}

/// Queries of the routes with all mechanisms: none, which selects the first mechanism, then each
/// mechanism by its name.
const MECHANISMS: [&str; 6] = [
    "",
    "via=returned",
    "via=attached",
    "via=raised",
    "via=panicked",
    "via=raised_async",
];

/// Returns `path` with one more query.
fn with_query(path: &str, query: &str) -> String {
    match (query, path.contains('?')) {
        ("", _) => path.to_owned(),
        (_, false) => format!("{path}?{query}"),
        (_, true) => format!("{path}&{query}"),
    }
}

#[tokio::test]
async fn axum_over_http1_responds_as_fastapi() {
    replay(Stack::Axum, App::App, Protocol::Http1).await;
    replay(Stack::Axum, App::Custom, Protocol::Http1).await;
}

#[tokio::test]
async fn axum_over_http2_responds_as_fastapi() {
    replay(Stack::Axum, App::App, Protocol::Http2).await;
    replay(Stack::Axum, App::Custom, Protocol::Http2).await;
}

#[tokio::test]
async fn hyper_over_http1_responds_as_fastapi() {
    replay(Stack::Hyper, App::App, Protocol::Http1).await;
    replay(Stack::Hyper, App::Custom, Protocol::Http1).await;
}

#[tokio::test]
async fn hyper_over_http2_responds_as_fastapi() {
    replay(Stack::Hyper, App::App, Protocol::Http2).await;
    replay(Stack::Hyper, App::Custom, Protocol::Http2).await;
}

async fn replay(stack: Stack, app: App, protocol: Protocol) {
    // One connection for all cases: it must be usable after every response.
    let mut client = Client::connect(protocol, serve(stack, app).await)
        .await
        .unwrap();
    let mut exchanges = 0;
    let mut mismatches = Vec::new();

    for case in case::http_cases_of(app.name()) {
        let request = &case.request;
        let method = request.method();
        let mechanisms = match request.path.as_str() {
            "/raise" => &MECHANISMS[..],
            _ => &[""],
        };
        for mechanism in mechanisms {
            exchanges += 1;
            let path = with_query(&request.path, mechanism);
            let json = request.json.as_deref().map(|raw| raw.get());
            let got = client
                .send(method.clone(), &path, &request.headers, json)
                .await;
            let expected = case.expected();
            let got = match got {
                Ok(got) if got.matches(expected, &method) => continue,
                Ok(got) => got.to_string(),
                Err(error) => format!("no response: {error}"),
            };
            mismatches.push(format!(
                "{} ({stack:?}, {app:?}, {protocol:?}, {path})\n  expected {expected}\n  got      {got}",
                case.name,
            ));
        }
    }

    assert!(
        mismatches.is_empty(),
        "{} of {exchanges} responses differ:\n{}",
        mismatches.len(),
        mismatches.join("\n"),
    );
    let (cases, raising) = app.cases();
    assert_eq!(exchanges, raising * MECHANISMS.len() + (cases - raising));
}

#[tokio::test]
async fn axum_websockets_over_http1_close_as_fastapi() {
    replay_websockets(Stack::Axum, App::App, Protocol::Http1).await;
    replay_websockets(Stack::Axum, App::Custom, Protocol::Http1).await;
}

#[tokio::test]
async fn axum_websockets_over_http2_close_as_fastapi() {
    replay_websockets(Stack::Axum, App::App, Protocol::Http2).await;
    replay_websockets(Stack::Axum, App::Custom, Protocol::Http2).await;
}

#[tokio::test]
async fn hyper_websockets_over_http1_close_as_fastapi() {
    replay_websockets(Stack::Hyper, App::App, Protocol::Http1).await;
    replay_websockets(Stack::Hyper, App::Custom, Protocol::Http1).await;
}

#[tokio::test]
async fn hyper_websockets_over_http2_close_as_fastapi() {
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
        let mechanisms = match request.path.split('?').next() {
            Some("/ws/error-before" | "/ws/return" | "/ws/nope") => &[""],
            _ => &MECHANISMS[..],
        };
        for mechanism in mechanisms {
            conversations += 1;
            let path = with_query(&request.path, mechanism);
            let expected = case.expected();
            let got = match client.converse(&path, &request.send).await {
                Ok(got) if got.matches(expected) => continue,
                Ok(got) => got.to_string(),
                Err(error) => format!("no orderly end: {error}"),
            };
            mismatches.push(format!(
                "{} ({stack:?}, {app:?}, {protocol:?}, {path})\n  expected {expected}\n  got      {got}",
                case.name,
            ));
        }
    }

    assert!(
        mismatches.is_empty(),
        "{} of {conversations} WebSockets end differently:\n{}",
        mismatches.len(),
        mismatches.join("\n"),
    );
    let (cases, failing) = app.websocket_cases();
    assert_eq!(
        conversations,
        failing * MECHANISMS.len() + (cases - failing)
    );
}

/// The recorded cases have no successful `HEAD`, and no `HEAD` of an exception that a `GET` gets
/// too.
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
                    // The text contains the method, and `HEAD` is one letter longer.
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

/// The recorded cases request nothing but WebSockets from these routes.
#[tokio::test]
async fn a_plain_request_to_a_websocket_route_is_a_426() {
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
    silence_panics_with_exceptions();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(stack.serve(listener, app.layer()));
    address
}

/// `?via=panicked` runs the panic hook, and hundreds of messages would hide the mismatches.
fn silence_panics_with_exceptions() {
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
