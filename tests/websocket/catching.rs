//! `WebSocketHandle::catch` with several tasks, cancellation, and sockets that outlive the
//! callback.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
};

use axum::{
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
};
use futures_util::{SinkExt, StreamExt, future::pending};
use tokio::sync::{Notify, mpsc};
use tower::Layer;
use tower_exception::{WebSocketHandle, WebSockets};

use crate::support::websocket::*;

/// Serves an app that hands its WebSockets and their handles to `serving`.
async fn with_handle<F, Fut>(
    layer: tower_exception::ExceptionLayer<tower_exception::config::Configured>,
    serving: F,
) -> std::net::SocketAddr
where
    F: Fn(WebSocket, WebSocketHandle) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let route = any(
        async move |upgrade: WebSocketUpgrade, handle: WebSocketHandle| {
            upgrade.on_upgrade(move |socket| serving(socket, handle))
        },
    );
    serve(app(route, layer)).await
}

#[tokio::test]
async fn a_callback_may_fail_before_it_returns_its_future() {
    type Made = std::future::Ready<tower_exception::Result<()>>;
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let raising = app(
        catching(|_| -> Made { no_swearing().raise() }),
        layer.clone(),
    );
    let panicking = app(
        catching(|_| -> Made { panic!("{SECRET_TEXT}") }),
        layer.clone(),
    );
    let mut client = connect(serve(raising).await, "/").await;
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    let mut client = connect(serve(panicking).await, "/").await;
    assert_eq!(closed(&mut client).await, code(1011, ""));
    all_closed(&websockets).await;
    assert_eq!(reports.take().len(), 2);
}

/// The first failure closes the connection. The failures of other tasks are reported.
#[tokio::test]
async fn the_first_of_two_tasks_to_fail_closes_the_connection() {
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let address = with_handle(layer.clone(), async |socket, handle| {
        let (_writing, mut reading) = socket.split();
        let another = tokio::spawn(handle.clone().catch(async |()| {
            let _: () = pending().await;
            Ok(())
        })(()));
        let first = Arc::new(Notify::new());
        let second = {
            let first = first.clone();
            tokio::spawn(handle.clone().catch(async move |()| {
                first.notified().await;
                Err::<(), tower_exception::Error>(SecretError.into())
            })(()))
        };
        handle.catch(async |()| {
            reading.next().await.unwrap()?;
            Err::<(), tower_exception::Error>(no_swearing().into())
        })(())
        .await;
        first.notify_one();
        second.await.unwrap();
        another.abort();
    })
    .await;
    let mut client = connect(address, "/").await;
    client.send("hello".into()).await.unwrap();
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    let expected = "Returned WebSocket Close(1008): 1008: no swearing";
    let second = format!("Returned WebSocket Aborted: {SECRET_TEXT}");
    let mut both = [reports.next().await, reports.next().await].map(|report| report.to_string());
    both.sort();
    assert_eq!(both, [second, expected.to_owned()]);
    all_closed(&websockets).await;
}

/// The connection waits for the last task, which may still fail.
#[tokio::test]
async fn the_connection_waits_for_the_second_task() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let (sender, mut go_on) = mpsc::unbounded_channel();
    let address = with_handle(layer.clone(), move |socket, handle| {
        let sender = sender.clone();
        async move {
            let go_on = Arc::new(Notify::new());
            sender.send(go_on.clone()).unwrap();
            let slow = handle.clone().catch(|()| async move {
                go_on.notified().await;
                Err(no_swearing().into())
            })(());
            let fast = handle.catch(|mut socket| async move {
                echo_one(&mut socket).await;
                Ok(())
            })(socket);
            let slow = tokio::spawn(slow);
            fast.await;
            slow.await.unwrap();
        }
    })
    .await;
    let mut client = connect(address, "/").await;
    client.send("hello".into()).await.unwrap();
    let echoed = within(client.next()).await.unwrap().unwrap();
    assert_eq!(echoed, "hello".into());
    assert_eq!(websockets.count(), 1);
    go_on.recv().await.unwrap().notify_one();
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
}

/// The `catch` is dropped by an unwinding outside of it.
#[tokio::test]
async fn an_unwinding_outside_of_the_catch_closes_the_connection() {
    for (panics, expected) in [(false, code(1008, "no swearing")), (true, code(1011, ""))] {
        let address = with_handle(websocket_layer(), move |socket, handle| async move {
            let catching = handle.catch(async |socket: WebSocket| {
                let _socket = socket;
                pending().await
            })(socket);
            let raising = async {
                match panics {
                    false => no_swearing().raise(),
                    true => panic!("{SECRET_TEXT}"),
                }
            };
            tokio::join!(catching, raising);
        })
        .await;
        let mut client = connect(address, "/").await;
        assert_eq!(closed(&mut client).await, expected);
    }
}

#[tokio::test]
async fn an_aborted_catch_goes_away() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let (sender, mut tasks) = mpsc::unbounded_channel();
    let address = with_handle(layer.clone(), move |socket, handle| {
        let catching = handle.catch(async |socket: WebSocket| {
            let _socket = socket;
            pending().await
        })(socket);
        let task = tokio::spawn(catching);
        sender.send(task.abort_handle()).unwrap();
        async move { assert!(task.await.unwrap_err().is_cancelled()) }
    })
    .await;
    let mut client = connect(address, "/").await;
    within(tasks.recv()).await.unwrap().abort();
    assert_eq!(closed(&mut client).await, code(1001, ""));
    all_closed(&websockets).await;
}

#[tokio::test]
async fn a_completed_catch_need_not_be_dropped() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let address = with_handle(layer.clone(), async |socket, handle| {
        let catching = handle.catch(async |mut socket: WebSocket| {
            echo_one(&mut socket).await;
            Ok(())
        })(socket);
        let mut catching = pin!(catching);
        catching.as_mut().await;
        pending().await
    })
    .await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1000, ""));
    all_closed(&websockets).await;
}

/// A callback that is never called catches nothing, and delays nothing.
#[tokio::test]
async fn a_callback_may_never_be_called() {
    let address = with_handle(websocket_layer(), async move |mut socket, handle| {
        let callback = handle.catch(async |_: WebSocket| Ok(()));
        echo_one(&mut socket).await;
        drop(socket);
        let _callback = callback;
        pending::<()>().await;
    })
    .await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1000, ""));
}

#[tokio::test]
async fn a_handle_does_not_keep_the_connection_open() {
    let handles = Arc::new(Mutex::new(Vec::new()));
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let address = {
        let handles = handles.clone();
        with_handle(layer.clone(), move |mut socket, handle| {
            handles.lock().unwrap().push(handle);
            async move { echo_one(&mut socket).await }
        })
        .await
    };
    let mut client = connect(address, "/").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1000, ""));
    all_closed(&websockets).await;
    reports.assert_none();
    let handle = handles.lock().unwrap().pop().unwrap();
    handle.catch(async |()| Err::<(), tower_exception::Error>(no_swearing().into()))(()).await;
    let second = "Returned WebSocket Aborted: 1008: no swearing";
    assert_eq!(reports.take(), [second]);
}

/// No failure of the callback could reach the client after its close frame.
#[tokio::test]
async fn a_socket_closed_by_the_callback_closes_before_the_callback_ends() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let route = catching(async |mut socket: WebSocket| {
        socket.send(Message::Close(None)).await?;
        drop(socket);
        pending().await
    });
    let address = serve(app(route, layer.clone())).await;
    let mut client = Raw::open(address, "/").await;
    client.send(&masked(CLOSE, &[])).await;
    assert_eq!(client.rest().await.unwrap(), frame(CLOSE, &[]));
    all_closed(&websockets).await;
}

/// The owner of the socket may go on using it.
#[tokio::test]
async fn a_socket_may_outlive_its_callback() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let app = accepting_and_catching(async |io: ServerIo| {
        let mut socket = tokio_tungstenite::WebSocketStream::from_raw_socket(
            io,
            tokio_tungstenite::tungstenite::protocol::Role::Server,
            None,
        )
        .await;
        tokio::spawn(async move {
            let message = socket.next().await.unwrap().unwrap();
            socket.send(message).await.unwrap();
        });
        Ok(())
    });
    let address = serve(layer.layer(app)).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1000, ""));
    all_closed(&websockets).await;
}
