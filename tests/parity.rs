//! Replays what FastAPI answered (`parity/cases.json`) to the apps of `examples/parity.rs`: over real
//! sockets, in both stacks, over HTTP/1.1 and HTTP/2, for every way of raising.

use std::{
    net::{Ipv4Addr, SocketAddr},
    panic,
    sync::Once,
};

use http::Method;
use tokio::net::TcpListener;
use tower_exception::HttpException;

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

/// How many of the file's cases are `http` ones of `app`, and how many of these go to `/raise`.
const CASES: usize = 98;
const RAISING: usize = 91;

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
    replay(Stack::Axum, Protocol::Http1).await;
}

#[tokio::test]
async fn axum_over_http2() {
    replay(Stack::Axum, Protocol::Http2).await;
}

#[tokio::test]
async fn hyper_over_http1() {
    replay(Stack::Hyper, Protocol::Http1).await;
}

#[tokio::test]
async fn hyper_over_http2() {
    replay(Stack::Hyper, Protocol::Http2).await;
}

async fn replay(stack: Stack, protocol: Protocol) {
    // One connection for all: it must be usable after every answer.
    let mut client = Client::connect(protocol, serve(stack).await).await.unwrap();
    let mut exchanges = 0;
    let mut mismatches = Vec::new();

    for case in case::http_cases_of_app() {
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
            let got = client.send(method.clone(), &path, json).await;
            let expected = case.expected();
            let got = match got {
                Ok(got) if got.matches(expected, &method) => continue,
                Ok(got) => got.to_string(),
                Err(error) => format!("no answer: {error}"),
            };
            mismatches.push(format!(
                "{} ({stack:?}, {protocol:?}, {path})\n  expected {expected}\n  got      {got}",
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
    assert_eq!(exchanges, RAISING * WAYS.len() + (CASES - RAISING));
}

/// No case has a `HEAD` that succeeds, or one of an exception that `GET` gets as well.
#[tokio::test]
async fn head_is_get_without_the_body() {
    for stack in [Stack::Axum, Stack::Hyper] {
        let address = serve(stack).await;
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
                let mut get = client.send(Method::GET, path, None).await.unwrap();
                let head = client.send(Method::HEAD, path, None).await.unwrap();
                assert_ne!(get.body, "");
                get.body.clear();
                assert_eq!(head, get, "{stack:?}, {protocol:?}, {path}");
            }
        }
    }
}

async fn serve(stack: Stack) -> SocketAddr {
    keep_the_panics_of_exceptions_quiet();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(stack.serve_app(listener));
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
