//! The WebSocket examples of the documentation, run against clients that ping and that close.

use axum::Router;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use tower::Layer;
use tower_exception::ExceptionLayer;
use tracing::Level;

use super::documented;
use crate::support::{log::Log, websocket::*};

/// An example, with the path of its handler, the subprotocol that it selects, and its echo of a
/// text.
struct Example {
    app: fn() -> Router,
    path: &'static str,
    protocol: Option<&'static str>,
    echo: Option<(&'static str, &'static str)>,
}

const EXAMPLES: [Example; 4] = [
    Example {
        app: documented::readme,
        path: "/echo",
        protocol: Some("chat"),
        echo: Some(("hello", "hello")),
    },
    Example {
        app: documented::guide,
        path: "/chat?token=plumbus",
        protocol: Some("chat"),
        echo: Some(("hello", "hello")),
    },
    Example {
        app: documented::handle,
        path: "/shout",
        protocol: Some("shout"),
        echo: Some(("hello", "HELLO")),
    },
    Example {
        app: documented::halves,
        path: "/count",
        protocol: None,
        echo: None,
    },
];

async fn open(example: &Example, address: std::net::SocketAddr) -> WebSocketClient {
    let headers: Vec<_> = example
        .protocol
        .iter()
        .map(|protocol| ("sec-websocket-protocol", *protocol))
        .collect();
    let (client, response) = try_connect(address, example.path, &headers).await.unwrap();
    let selected = response.headers().get("sec-websocket-protocol");
    assert_eq!(selected.map(|it| it.to_str().unwrap()), example.protocol);
    client
}

/// Receives the next message that is no text of the example's own accord.
async fn next(client: &mut WebSocketClient, example: &Example) -> Option<Message> {
    loop {
        match within(client.next()).await?.unwrap() {
            Message::Text(text) if example.echo.is_none() => drop(text),
            message => return Some(message),
        }
    }
}

// B5, B6
#[tokio::test]
async fn every_example_ignores_pings_and_answers_a_close() {
    for example in &EXAMPLES {
        let log = Log::start();
        let (layer, mut reports) = observed(ExceptionLayer::new());
        let address = serve((example.app)().layer(layer)).await;
        for (code, reason) in [(1000_u16, "bye"), (1001, "")] {
            let mut client = open(example, address).await;
            for payload in [&b""[..], b"are you there?"] {
                let ping = Message::Ping(payload.to_vec().into());
                client.send(ping).await.unwrap();
                let pong = next(&mut client, example).await;
                assert_eq!(pong, Some(Message::Pong(payload.to_vec().into())));
                client
                    .send(Message::Pong(payload.to_vec().into()))
                    .await
                    .unwrap();
            }
            if let Some((text, echo)) = example.echo {
                client.send(text.into()).await.unwrap();
                assert_eq!(next(&mut client, example).await, Some(echo.into()));
            }
            let frame = CloseFrame {
                code: code.into(),
                reason: reason.into(),
            };
            client.close(Some(frame.clone())).await.unwrap();
            let reply = next(&mut client, example).await;
            let Some(Message::Close(Some(reply))) = reply else {
                panic!("{}: {reply:?}", example.path);
            };
            assert_eq!(reply.code, frame.code, "{}", example.path);
            assert_eq!(next(&mut client, example).await, None);
        }
        reports.assert_none();
        assert!(log.events().is_empty(), "{:?}", log.events());
    }
}

/// The failures that the examples show, and a client's faults.
// B5, B6
#[tokio::test]
async fn the_examples_close_as_they_say() {
    let log = Log::start();
    let readme = serve(documented::readme()).await;
    let mut client = connect(readme, "/echo").await;
    assert_eq!(closed(&mut client).await, code(1008, "no chat"));
    let guide = serve(documented::guide()).await;
    let mut client = connect(guide, "/chat").await;
    assert_eq!(closed(&mut client).await, code(3000, "who are you?"));
    let mut client = connect(guide, "/chat?token=plumbus").await;
    client.send("dash it all".into()).await.unwrap();
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    let handle = serve(documented::handle()).await;
    let mut client = connect(handle, "/shout").await;
    client
        .send(Message::binary(b"hello".to_vec()))
        .await
        .unwrap();
    assert_eq!(closed(&mut client).await, code(1003, "text only"));
    let layer = serve(documented::layer()).await;
    let mut client = connect(layer, "/before").await;
    assert_eq!(closed(&mut client).await, code(3000, "who are you?"));
    let mut client = connect(layer, "/after").await;
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    let of = serve(websocket_layer().layer(documented::of())).await;
    let mut client = connect(of, "/").await;
    assert_eq!(closed_after(&mut client, &["hello"]).await, code(1000, ""));
    for example in &EXAMPLES {
        let address = serve((example.app)()).await;
        let mut client = open(example, address).await.into_inner();
        tokio::io::AsyncWriteExt::write_all(&mut client, &masked(TEXT, b"\xff"))
            .await
            .unwrap();
        let mut client = Raw(client);
        if example.echo.is_some() {
            assert_eq!(
                client.take(4).await,
                close_frame(1007, ""),
                "{}",
                example.path
            );
        }
    }
    assert!(log.events().iter().all(|event| event.level == Level::DEBUG));
}

/// Returns the code of the lines that end a fence and begin at `first`, without hidden lines.
fn documented_code(text: &str, contains: &str) -> Option<String> {
    let lines: Vec<_> = text
        .lines()
        .map(|line| {
            let comment = line.trim_start().strip_prefix("///");
            comment.map_or(line, |comment| comment.strip_prefix(' ').unwrap_or(comment))
        })
        .collect();
    let fenced = lines.split(|line| line.starts_with("```") || line.contains("doc = \"```"));
    let code = fenced
        .map(|lines| {
            let visible = lines.iter().filter(|line| !line.starts_with("# "));
            visible.copied().collect::<Vec<_>>().join("\n")
        })
        .find(|code| code.contains(contains))?;
    Some(code.trim().to_owned())
}

/// Returns the examples of `documented.rs`, which are in functions.
fn run_code() -> Vec<String> {
    include_str!("documented.rs")
        .split("    // Begin of the example.\n")
        .skip(1)
        .map(|rest| {
            let (code, _) = rest.split_once("    // End of the example.").unwrap();
            let lines = code
                .lines()
                .map(|line| line.strip_prefix("    ").unwrap_or(line));
            lines.collect::<Vec<_>>().join("\n").trim().to_owned()
        })
        .collect()
}

// B5, B6
#[test]
fn the_examples_that_run_are_those_of_the_documentation() {
    let readme = include_str!("../../README.md");
    let guide = include_str!("../../src/docs/websocket.md");
    let handle = include_str!("../../src/websocket/handle.rs");
    let layer = include_str!("../../src/layer.rs");
    let documented = [
        (readme, "async fn echo("),
        (guide, "async fn chat("),
        (handle, "async fn shout("),
        (handle, "async fn count("),
        (layer, "async fn before("),
        (handle, "async fn hello("),
    ];
    let documented = documented.map(|(text, contains)| documented_code(text, contains).unwrap());
    for (documented, run) in documented.iter().zip(run_code()) {
        assert_eq!(*documented, run);
    }
    assert_eq!(documented.len(), run_code().len());
}
