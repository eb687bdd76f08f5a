//! Everyday events of a WebSocket: clients that close, leave, or send too much, and tasks that are
//! aborted.

use std::time::Duration;

use axum::{
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
};
use fastwebsockets::Role;
use futures_util::{FutureExt, SinkExt, StreamExt, future::pending};
use tokio::{io::AsyncWriteExt, sync::mpsc, task::JoinSet};
use tokio_tungstenite::tungstenite::{
    self,
    protocol::{CloseFrame, frame::coding::CloseCode as ClientCode},
};
use tower::Layer;
use tower_exception::{
    Caught, CloseCode, ExceptionLayer, HttpException, WebSocketHandle, WebSockets,
    config::Configured,
};
use tracing::Level;

use crate::support::{log::Log, websocket::*};

/// Echoes every message, close frames and pings included.
async fn echo_everything(mut socket: WebSocket) -> tower_exception::Result<()> {
    while let Some(message) = socket.recv().await {
        socket.send(message?).await?;
    }
    Ok(())
}

/// Sends as much as the client takes, and reads nothing meanwhile but its close frame.
async fn send_backlog(mut socket: WebSocket) -> tower_exception::Result<()> {
    loop {
        if let Some(message) = socket.recv().now_or_never() {
            message.transpose()?;
        }
        socket.send("news".into()).await?;
    }
}

/// Closes as a client does, and returns the code that comes back.
async fn close_with(client: &mut AnyClient, code: Option<u16>) -> Option<u16> {
    let frame = code.map(|code| CloseFrame {
        code: ClientCode::from(code),
        reason: "bye".into(),
    });
    within(client.close(frame)).await.unwrap();
    loop {
        match within(client.next()).await {
            Some(Ok(tungstenite::Message::Close(frame))) => {
                return frame.map(|frame| frame.code.into());
            }
            Some(Ok(_)) => {}
            end => panic!("no close frame but {end:?}"),
        }
    }
}

fn echo_and_backlog(layer: ExceptionLayer<Configured>) -> axum::Router {
    axum::Router::new()
        .route("/echo", catching(echo_everything))
        .route("/backlog", catching(send_backlog))
        .layer(layer)
}

// B1
#[tokio::test]
async fn a_client_that_closes_politely_is_no_failure() {
    let log = Log::start();
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets)
        .on_any(|_: Caught| HttpException::bad_request("no handler is asked"));
    let (layer, mut reports) = observed(layer);
    let address = serve(echo_and_backlog(layer)).await;
    for path in ["/echo", "/backlog"] {
        for protocol in PROTOCOLS {
            for code in [Some(1000), Some(1001), Some(4001), None] {
                let mut client = connect_over(protocol, address, path).await;
                let reply = close_with(&mut client, code).await;
                assert_eq!(
                    reply.unwrap_or(1000),
                    code.unwrap_or(1000),
                    "{path} {protocol:?}"
                );
            }
        }
    }
    all_closed(&websockets).await;
    reports.assert_none();
    assert!(log.events().is_empty(), "{:?}", log.events());
}

// B1
#[tokio::test]
async fn a_client_that_leaves_is_no_failure() {
    for reset in [false, true] {
        let log = Log::start();
        let websockets = WebSockets::new();
        let (layer, mut reports) = observed(layer_with(&websockets));
        let address = serve(echo_and_backlog(layer)).await;
        for path in ["/echo", "/backlog"] {
            let client = Raw::open(address, path).await;
            match reset {
                true => client.reset(),
                false => drop(client),
            }
            all_closed(&websockets).await;
        }
        reports.assert_none();
        assert!(log.events().is_empty(), "{:?}", log.events());
    }
}

/// The error says that another connection has closed, and this one is open.
// B1
#[tokio::test]
async fn an_error_of_another_connection_is_a_failure() {
    let errors: [fn() -> tungstenite::Error; 3] = [
        || tungstenite::Error::ConnectionClosed,
        || tungstenite::error::ProtocolError::ResetWithoutClosingHandshake.into(),
        || tungstenite::error::ProtocolError::NonZeroReservedBits.into(),
    ];
    for error in errors {
        let log = Log::start();
        let route =
            catching(
                move |_socket: WebSocket| async move { Err(axum::Error::new(error()).into()) },
            );
        let address = serve(app(route, websocket_layer())).await;
        let mut client = connect(address, "/").await;
        assert_eq!(closed(&mut client).await, code(1011, ""));
        assert_eq!(log.only_event().level, Level::ERROR);
    }
}

/// The layer does not know the error, but the close frame came before it.
// B1
#[tokio::test]
async fn an_unknown_error_after_a_polite_close_repeats_the_code() {
    for (sent, code) in [(masked_close(4001), 4001), (masked(CLOSE, b""), 1000)] {
        let log = Log::start();
        let (layer, mut reports) = observed(websocket_layer());
        let app = accepting_and_catching(async |io: ServerIo| {
            let mut socket = fastwebsockets::WebSocket::after_handshake(io, Role::Server);
            socket.set_auto_close(false);
            socket.read_frame().await?;
            Err(SecretError.into())
        });
        let address = serve(layer.layer(app)).await;
        let mut client = Raw::open(address, "/").await;
        client.send(&sent).await;
        assert_eq!(client.rest().await.unwrap(), close_frame(code, ""));
        let report = format!("Returned WebSocket Close({code}): {SECRET_TEXT}");
        assert_eq!(reports.next().await, report);
        assert_eq!(log.only_event().level, Level::DEBUG);
    }
}

fn limited() -> axum::routing::MethodRouter {
    any(
        async |upgrade: WebSocketUpgrade, exceptions: WebSocketHandle| {
            upgrade
                .max_message_size(1024)
                .on_upgrade(exceptions.catch(echo_everything))
        },
    )
}

// B2
#[tokio::test]
async fn a_message_that_is_too_long_is_the_clients_fault() {
    let log = Log::start();
    let (layer, mut reports) = observed(websocket_layer());
    let address = serve(app(limited(), layer)).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        client.send("x".repeat(2048).into()).await.unwrap();
        assert_eq!(closed(&mut client).await, code(1009, ""));
        let report = reports.next().await.to_string();
        assert!(
            report.starts_with("Returned WebSocket Close(1009): "),
            "{report}"
        );
    }
    assert!(log.events().iter().all(|event| event.level == Level::DEBUG));
}

/// A handler replies as it does to any other error.
// B2
#[tokio::test]
async fn a_handler_may_reply_to_a_clients_fault() {
    let layer = websocket_layer()
        .on(|_: Caught<axum::Error>| HttpException::payload_too_large("at most 1 KiB"));
    let address = serve(app(limited(), layer)).await;
    let mut client = connect(address, "/").await;
    client.send("x".repeat(2048).into()).await.unwrap();
    assert_eq!(closed(&mut client).await, code(4413, "at most 1 KiB"));
}

/// The end of a task that has a WebSocket and is not done.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Aborted,
    TimedOut,
    JoinSetDropped,
    NeverPolled,
}

// B4
#[tokio::test]
async fn a_task_that_is_dropped_goes_away() {
    use Ending::{Aborted, JoinSetDropped, NeverPolled, TimedOut};
    for ending in [Aborted, TimedOut, JoinSetDropped, NeverPolled] {
        for (on_drop, expected) in [
            (CloseCode::NORMAL_CLOSURE, 1001),
            (CloseCode::SERVICE_RESTART, 1001),
        ] {
            let websockets = WebSockets::new().close_on_drop(on_drop);
            let (layer, mut reports) = observed(layer_with(&websockets));
            let (sender, mut begun) = mpsc::unbounded_channel();
            let route = any(
                async move |upgrade: WebSocketUpgrade, handle: WebSocketHandle| {
                    upgrade.on_upgrade(move |socket| async move {
                        let mut task = Box::pin(handle.catch(async |socket: WebSocket| {
                            let _socket = socket;
                            pending().await
                        })(socket));
                        if !matches!(ending, NeverPolled) {
                            assert!(futures_util::poll!(&mut task).is_pending());
                        }
                        match ending {
                            NeverPolled => drop(task),
                            TimedOut => {
                                let _ = tokio::time::timeout(Duration::ZERO, task).await;
                            }
                            Aborted => tokio::spawn(task).abort(),
                            JoinSetDropped => {
                                let mut tasks = JoinSet::new();
                                tasks.spawn(task);
                            }
                        }
                        let _ = sender.send(());
                    })
                },
            );
            let address = serve(app(route, layer)).await;
            for protocol in PROTOCOLS {
                let mut client = connect_over(protocol, address, "/").await;
                within(begun.recv()).await;
                assert_eq!(closed(&mut client).await, code(expected, ""), "{ending:?}");
            }
            all_closed(&websockets).await;
            reports.assert_none();
        }
    }
}

/// The client's own code comes first, and a connection that is to be cut is cut.
// B4
#[tokio::test]
async fn a_task_that_is_dropped_after_the_clients_close_repeats_its_code() {
    for (on_drop, expected) in [
        (Some(CloseCode::NORMAL_CLOSURE), close_frame(4001, "")),
        (None, Vec::new()),
    ] {
        let websockets = WebSockets::new().close_on_drop(on_drop);
        let (sender, mut tasks) = mpsc::unbounded_channel();
        let route = any(
            async move |upgrade: WebSocketUpgrade, handle: WebSocketHandle| {
                upgrade.on_upgrade(move |socket| async move {
                    let task = handle.catch(async move |mut socket: WebSocket| {
                        socket.recv().await;
                        sender.send(()).unwrap();
                        pending().await
                    })(socket);
                    let _ = tokio::time::timeout(Duration::from_millis(200), task).await;
                })
            },
        );
        let address = serve(app(route, layer_with(&websockets))).await;
        let mut client = Raw::open(address, "/").await;
        client.send(&masked_close(4001)).await;
        within(tasks.recv()).await;
        assert_eq!(client.rest().await.unwrap_or_default(), expected);
    }
}

/// One half of the socket ends politely, the other one is aborted.
// B4
#[tokio::test]
async fn an_aborted_half_goes_away() {
    let route = any(async |upgrade: WebSocketUpgrade, handle: WebSocketHandle| {
        upgrade.on_upgrade(async |socket| {
            let (writing, reading) = socket.split();
            let reader = handle.clone().catch(async |reading| {
                let _reading = reading;
                pending().await
            })(reading);
            let reader = tokio::spawn(reader);
            tokio::task::yield_now().await;
            reader.abort();
            let _ = reader.await;
            handle.catch(async |mut writing: futures_util::stream::SplitSink<_, _>| {
                Ok(writing.send(Message::text("last")).await?)
            })(writing)
            .await;
        })
    });
    let address = serve(app(route, websocket_layer())).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed_after(&mut client, &["last"]).await, code(1001, ""));
}

/// Without `catch` the layer cannot tell an aborted task from one that is done.
// B4
#[tokio::test]
async fn a_dropped_task_without_the_handle_is_a_drop_like_any_other() {
    let route = bare(async |socket: WebSocket| {
        let task = async move {
            let _socket = socket;
            pending::<()>().await;
        };
        let _ = tokio::time::timeout(Duration::ZERO, task).await;
    });
    let address = serve(app(route, websocket_layer())).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1000, ""));
}

/// A client that sends garbage in place of frames, and never replies.
// B2
#[tokio::test]
async fn a_client_that_speaks_no_websocket_is_disconnected() {
    let log = Log::start();
    let websockets = WebSockets::new().close_timeout(SHORT_CLOSE_TIMEOUT);
    let route = catching(echo_everything);
    let address = serve(app(route, layer_with(&websockets))).await;
    let mut client = Raw::open(address, "/").await;
    client
        .0
        .write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(
        client.rest().await.unwrap_or_default(),
        close_frame(1002, "")
    );
    all_closed(&websockets).await;
    assert!(log.events().iter().all(|event| event.level == Level::DEBUG));
}
