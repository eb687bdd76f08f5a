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
use tower_exception::{Custom, ExceptionLayer, HttpException};

#[path = "parity/answer.rs"]
mod answer;
#[path = "parity/case.rs"]
mod case;
#[path = "parity/client.rs"]
mod client;
#[path = "../examples/parity/stack.rs"]
mod stack;

use client::{Client, Protocol};
use stack::Stack;

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
}

/// The queries of `POST /raise`: none, which is the first way, then every way by its name.
const WAYS: [&str; 6] = [
    "",
    "?via=returned",
    "?via=attached",
    "?via=raised",
    "?via=panicked",
    "?via=raised_async",
];

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
            let path = format!("{}{way}", request.path);
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
            if !panic.payload().is::<HttpException>() {
                hook(panic);
            }
        }));
    });
}
